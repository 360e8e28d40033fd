// SPDX-License-Identifier: MIT
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** The best-selling goods of a city: GET ?city=NAME&amp;rows=N. */
public class Report implements HttpHandler {
    private static final int SALES = 1_000_000;
    private static final List<String> CITIES = List.of("Berlin", "Kyoto", "Lagos", "Lima", "Oslo", "Quito", "Sydney", "Toronto");
    private static final List<String> GOODS = List.of("bread", "cheese", "coffee", "honey", "olives", "pasta", "tea");

    private record Sale(byte goods, byte pieces, int cents) {
    }

    private final Map<String, Sale[]> sales = new HashMap<>();

    public Report() {
        Random numbers = new Random(7);

        for (String city : CITIES) {
            sales.put(city, IntStream.range(0, SALES / CITIES.size())
                    .mapToObj(i -> new Sale((byte) numbers.nextInt(GOODS.size()), (byte) (1 + numbers.nextInt(19)),
                            50 + numbers.nextInt(1950)))
                    .toArray(Sale[]::new));
        }
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        Map<String, String> query = List.of(exchange.getRequestURI().getQuery().split("&")).stream()
                .map(part -> part.split("=", 2)).collect(Collectors.toMap(part -> part[0], part -> part[1]));
        byte[] page = page(query.get("city"), Integer.parseInt(query.get("rows"))).getBytes(StandardCharsets.UTF_8);

        exchange.getResponseHeaders().set("Content-Type", "text/plain; charset=utf-8");
        exchange.sendResponseHeaders(200, page.length);
        exchange.getResponseBody().write(page);
        exchange.close();
    }

    private String page(String city, int rows) {
        Sale[] all = sales.get(city);
        Map<String, Long> turnover = new HashMap<>();

        for (int i = 0; i < all.length; i += 64) {
            turnover.merge(GOODS.get(all[i].goods()), (long) all[i].pieces() * all[i].cents(), Long::sum);
        }
        return turnover.entrySet().stream().sorted(Map.Entry.comparingByValue(Comparator.reverseOrder())).limit(rows)
                .map(entry -> "%-10s %12.2f".formatted(entry.getKey(), entry.getValue() / 100.0))
                .collect(Collectors.joining("\n", city + "\n", "\n"));
    }
}
