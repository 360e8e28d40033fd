# SPDX-License-Identifier: MIT
"""A year of sales, made up but always the same."""

import numpy
import pandas

CITIES = ["Berlin", "Kyoto", "Lagos", "Lima", "Oslo", "Quito", "Sydney", "Toronto"]
GOODS = ["bread", "cheese", "coffee", "honey", "olives", "pasta", "tea"]
ROWS = 20000


def make_sales():
    numbers = numpy.random.default_rng(7)
    return pandas.DataFrame({
        "city": pandas.Categorical.from_codes(numbers.integers(0, len(CITIES), ROWS), CITIES),
        "goods": pandas.Categorical.from_codes(numbers.integers(0, len(GOODS), ROWS), GOODS),
        "day": numbers.integers(0, 365, ROWS),
        "pieces": numbers.integers(1, 20, ROWS),
        "price": numbers.integers(50, 2000, ROWS) / 100,
    })


sales = make_sales()
by_city = {city: part.reset_index(drop=True) for city, part in sales.groupby("city", observed=True)}
