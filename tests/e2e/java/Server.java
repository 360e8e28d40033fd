// SPDX-License-Identifier: MIT
import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.List;
import org.crac.CheckpointException;
import org.crac.Context;
import org.crac.Core;
import org.crac.Resource;

/** Written for org.crac: a server that stops before a checkpoint and starts again after it. */
public class Server implements Resource {
    private HttpServer server;

    private void start() throws Exception {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            byte[] answer = ("you asked for " + exchange.getRequestURI()).getBytes();
            exchange.sendResponseHeaders(200, answer.length);
            exchange.getResponseBody().write(answer);
            exchange.close();
        });
        server.start();
    }

    private String ask(String path) throws Exception {
        var url = URI.create("http://localhost:" + server.getAddress().getPort() + path).toURL();
        try (var in = url.openConnection(java.net.Proxy.NO_PROXY).getInputStream()) {
            return new String(in.readAllBytes());
        }
    }

    @Override
    public void beforeCheckpoint(Context<? extends Resource> context) throws Exception {
        server.stop(0);
        if (System.getenv("FAIL") != null) {
            throw new IllegalStateException("not now");
        }
        if (System.getenv("RECURSE") != null) {
            Core.checkpointRestore();
        }
    }

    @Override
    public void afterRestore(Context<? extends Resource> context) throws Exception {
        start();
    }

    public static void main(String[] args) throws Exception {
        Server server = new Server();
        server.start();
        server.ask("/ahead");
        Core.getGlobalContext().register(server);
        for (String times : List.of("", " again")) {
            try {
                Core.checkpointRestore();
            } catch (CheckpointException called) {
                System.out.println("called off" + times + ": " + called.getMessage() + " " + List.of(called.getSuppressed()));
            }
        }
        System.out.println(server.ask("/" + args.length));
        server.server.stop(0);
    }
}
