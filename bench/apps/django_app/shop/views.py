# SPDX-License-Identifier: MIT
import numpy
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import render

from shop import data


def report(request):
    """The best-selling goods of a city, and statistics of the numbers in the request's body."""
    city = request.GET.get("city", "Oslo")
    rows = request.GET.get("rows", "3")
    if city not in data.by_city or not rows.isdigit():
        return HttpResponseBadRequest(f"no such report: city={city} rows={rows}\n")
    part = data.by_city[city]
    turnover = (part["pieces"] * part["price"]).groupby(part["goods"], observed=True).sum()
    best = turnover.sort_values(ascending=False, kind="stable").head(int(rows))
    numbers = numpy.array([float(word) for word in request.body.split()] or [0.0])
    return render(request, "report.txt", {
        "city": city,
        "user": request.headers.get("X-Demo-User", "nobody"),
        "directory": request.headers.get("X-Directory", ""),
        "best": [(name, round(float(value), 2)) for name, value in best.items()],
        "count": len(numbers),
        "mean": round(float(numbers.mean()), 6),
        "deviation": round(float(numbers.std()), 6),
    }, content_type="text/plain")


def cities(request):
    return HttpResponse("".join(f"{city}\n" for city in data.CITIES), content_type="text/plain")
