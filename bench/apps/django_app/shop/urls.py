# SPDX-License-Identifier: MIT
from django.urls import path

from shop import views

urlpatterns = [
    path("report/", views.report),
    path("cities/", views.cities),
]
