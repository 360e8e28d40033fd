// SPDX-License-Identifier: MIT
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadPoolExecutor;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.crac.Context;
import org.crac.Core;
import org.crac.Resource;
import warm.Warm;

/**
 * An HTTP server on $BENCH_PORT whose handler (Report.java) is compiled when it starts; 12 threads serve.
 *
 * <pre>java Server [--hold | --stay]</pre>
 *
 * Prints one byte as soon as it could work, and ends behind its first answer; --hold serves on until it is killed; --stay
 * does, too, on a warm path as a copy has it. -Dhandler=DIR: the compiled handler lies there.
 */
public class Server implements Resource {
    private static final int THREADS = 12;
    private static final int WARMING = 3000;

    private final CountDownLatch answered = new CountDownLatch(1);
    private final HttpServer server;
    private final int port = Integer.parseInt(System.getenv("BENCH_PORT"));

    private Server() throws Exception {
        HttpHandler handler = load();
        ThreadPoolExecutor threads = (ThreadPoolExecutor) Executors.newFixedThreadPool(THREADS);

        threads.prestartAllCoreThreads();
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 128);
        server.createContext("/report", exchange -> {
            handler.handle(exchange);
            exchange.close();
            answered.countDown();
        });
        server.createContext("/warm", handler);
        server.setExecutor(threads);
        server.start();
    }

    private static HttpHandler load() throws Exception {
        String ready = System.getProperty("handler");
        Path source = Path.of(System.getenv("BENCH_HANDLER"));
        Path classes = ready != null ? Path.of(ready) : Files.createTempDirectory("handler");

        if (ready == null) {
            JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();

            if (compiler.run(null, null, null, "-proc:none", "-d", classes.toString(), source.toString()) != 0) {
                throw new IOException(source + " does not compile");
            }
        }
        Handlers handlers = new Handlers(classes);

        if (ready == null) {
            for (String name : handlers.code.keySet()) {
                Files.delete(classes.resolve(name + ".class"));
            }
            Files.delete(classes);
        }
        return (HttpHandler) handlers.loadClass("Report").getConstructor().newInstance();
    }

    /** Has read all classes of a folder into memory: the files may go. */
    private static final class Handlers extends ClassLoader {
        private final Map<String, byte[]> code = new HashMap<>();

        Handlers(Path classes) throws IOException {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(classes, "*.class")) {
                for (Path file : files) {
                    code.put(file.getFileName().toString().replaceFirst("[.]class$", ""), Files.readAllBytes(file));
                }
            }
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            byte[] bytes = code.get(name);

            if (bytes == null) {
                throw new ClassNotFoundException(name);
            }
            return defineClass(name, bytes, 0, bytes.length);
        }
    }

    /** Only where a snapshot is taken: the Java machine compiles code that has run often. */
    @Override
    public void beforeCheckpoint(Context<? extends Resource> context) throws IOException {
        for (int i = 0; i < WARMING; i++) {
            ask();
        }
    }

    @Override
    public void afterRestore(Context<? extends Resource> context) {
    }

    private void ask() throws IOException {
        byte[] request = "GET /warm?city=Oslo&rows=3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                .getBytes(StandardCharsets.US_ASCII);

        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            OutputStream out = socket.getOutputStream();
            InputStream in = socket.getInputStream();

            out.write(request);
            in.readAllBytes();
        }
    }

    private void serve(List<String> mode) throws Exception {
        if (mode.contains("--stay")) {
            beforeCheckpoint(null);
        }
        System.out.write('r');
        System.out.flush();
        if (mode.contains("--stay")) {
            Thread.currentThread().join();
        }
        answered.await();
        if (mode.contains("--hold")) {
            Thread.currentThread().join();
        }
        Runtime.getRuntime().halt(0);
    }

    public static void main(String[] args) throws Exception {
        Server application = new Server();

        Core.getGlobalContext().register(application);
        Warm.ready(new Warm.Options().argv(args));
        application.serve(List.of(Warm.args()));
    }
}
