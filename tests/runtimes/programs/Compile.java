// SPDX-License-Identifier: MIT
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import warm.Warm;

/** Drives javac in-process: some thousand classes before the hook, one more in each copy; and serves HTTP all along. */
public class Compile {
    static final int FILES = 250;
    static final int INNER = 9;

    record Source(String name, String code) {
        SimpleJavaFileObject object() {
            return new SimpleJavaFileObject(URI.create("mem:///" + name + ".java"), JavaFileObject.Kind.SOURCE) {
                @Override
                public CharSequence getCharContent(boolean ignoreErrors) {
                    return code;
                }
            };
        }
    }

    /** Keeps what is compiled in memory, and loads it from there. */
    static class Memory extends ForwardingJavaFileManager<StandardJavaFileManager> {
        final Map<String, ByteArrayOutputStream> compiled = new HashMap<>();
        final ClassLoader loader = new ClassLoader(Compile.class.getClassLoader()) {
            @Override
            protected Class<?> findClass(String name) throws ClassNotFoundException {
                ByteArrayOutputStream code = compiled.get(name);

                if (code == null) {
                    throw new ClassNotFoundException(name);
                }
                return defineClass(name, code.toByteArray(), 0, code.size());
            }
        };

        Memory(StandardJavaFileManager files) {
            super(files);
        }

        @Override
        public JavaFileObject getJavaFileForOutput(JavaFileManager.Location where, String name, JavaFileObject.Kind kind,
                FileObject sibling) {
            return new SimpleJavaFileObject(URI.create("mem:///" + name), kind) {
                @Override
                public OutputStream openOutputStream() {
                    return compiled.computeIfAbsent(name, any -> new ByteArrayOutputStream());
                }
            };
        }
    }

    static final JavaCompiler JAVAC = ToolProvider.getSystemJavaCompiler();
    static final Memory MEMORY = new Memory(JAVAC.getStandardFileManager(null, null, null));

    static String source(String name, int number) {
        StringBuilder code = new StringBuilder("public class " + name + " { public static int of(int n) { int sum = 0;");

        for (int i = 0; i < INNER; i++) {
            code.append(" sum += new I").append(i).append("().of(n);");
        }
        code.append(" return sum; }");
        for (int i = 0; i < INNER; i++) {
            code.append(" static class I").append(i).append(" { int of(int n) { return n * ").append(number + i).append("; } }");
        }
        return code.append(" }").toString();
    }

    static int run(String name, int argument) throws Exception {
        return (int) MEMORY.loader.loadClass(name).getMethod("of", int.class).invoke(null, argument);
    }

    static void compile(List<Source> sources) {
        if (!JAVAC.getTask(null, MEMORY, null, List.of("-proc:none"), null, sources.stream().map(Source::object).toList()).call()) {
            throw new IllegalStateException("does not compile");
        }
    }

    public static void main(String[] args) throws Exception {
        List<Source> sources = new ArrayList<>();
        long sum = 0;

        for (int i = 0; i < FILES; i++) {
            sources.add(new Source("C" + i, source("C" + i, i)));
        }
        compile(sources);
        for (int i = 0; i < FILES; i++) {
            sum += run("C" + i, 2);
        }
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            byte[] answer = ("you asked for " + exchange.getRequestURI()).getBytes();
            exchange.sendResponseHeaders(200, answer.length);
            exchange.getResponseBody().write(answer);
            exchange.close();
        });
        server.start();
        Warm.ready(new Warm.Options().argv(args));

        int number = Integer.parseInt(Warm.args()[0]);
        compile(List.of(new Source("Late" + number, source("Late" + number, number))));
        System.gc();
        var url = URI.create("http://localhost:" + server.getAddress().getPort() + "/" + number).toURL();
        try (var in = url.openConnection(Proxy.NO_PROXY).getInputStream()) {
            System.out.println(new String(in.readAllBytes()));
        }
        System.out.println(sum + " " + MEMORY.compiled.size() + " " + run("Late" + number, 3) + " " + run("C7", number));
        server.stop(0);
    }
}
