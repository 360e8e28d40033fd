// SPDX-License-Identifier: MIT
// The best-selling goods of a city.

interface Sale {
    city: string;
    goods: string;
    pieces: number;
    price: number;
}

const CITIES: readonly string[] = ["Berlin", "Kyoto", "Lagos", "Lima", "Oslo", "Quito", "Sydney", "Toronto"];
const GOODS: readonly string[] = ["bread", "cheese", "coffee", "honey", "olives", "pasta", "tea"];
const SALES = 20000;

function made(): Sale[] {
    let seed = 7;
    const next = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;

    return Array.from({ length: SALES }, (): Sale => ({
        city: CITIES[next(CITIES.length)], goods: GOODS[next(GOODS.length)], pieces: 1 + next(19), price: (50 + next(1950)) / 100,
    }));
}

const sales: Sale[] = made();

export function page(city: string, rows: number, compile: (text: string) => string): string {
    const turnover = new Map<string, number>();

    for (const sale of sales) {
        if (sale.city === city) turnover.set(sale.goods, (turnover.get(sale.goods) ?? 0) + sale.pieces * sale.price);
    }
    const best = [...turnover].sort((a, b) => b[1] - a[1]).slice(0, rows);
    const lines = best.map(([goods, sum]) => `${goods.padEnd(10)} ${sum.toFixed(2).padStart(12)}\n`);

    return `${city}\n${lines.join("")}${compile(`const rows: number = ${rows};\nexport default (city: string) => city + rows;\n`)}`;
}
