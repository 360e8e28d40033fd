// SPDX-License-Identifier: MIT
package warm;

import java.io.IOException;
import java.net.URI;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.security.ProtectionDomain;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The files that classes came from: every archive on the class path, in folders each class file - and for each folder
 * that was searched in vain before, that the class file is still not there. What the Java machine maps (lib/modules, the
 * class data archive, its libraries) the daemon sees itself.
 */
final class Dependencies {
    private static final String[] SETTINGS = {"conf/security/java.security", "conf/net.properties",
            "conf/logging.properties", "lib/tzdb.dat", "lib/jvm.cfg", "lib/security/cacerts"};

    private final Set<Path> found = new LinkedHashSet<>();
    private final List<Path> folders = new ArrayList<>(); // of the class path, in its order

    private Dependencies() {
    }

    /** Absolute paths. */
    static byte[][] of(Warm.Options options, Class<?>[] loaded) throws IOException {
        Dependencies dependencies = new Dependencies();

        dependencies.found.addAll(options.depends);
        dependencies.addClassPath();
        dependencies.addCommandLine();
        dependencies.addSettings();
        dependencies.addClasses(loaded);
        return Process.bytes(dependencies.found.stream().map(Path::toString).toList());
    }

    private void addClassPath() {
        for (String list : new String[] {"java.class.path", "jdk.module.path"}) {
            for (String entry : System.getProperty(list, "").split(":")) {
                if (entry.isEmpty() && list.equals("jdk.module.path")) {
                    continue;
                }
                Path path = Path.of(entry).toAbsolutePath();
                if (Files.isDirectory(path)) {
                    folders.add(path);
                } else {
                    found.add(path); // an archive, or nothing, which must not become one
                }
            }
        }
    }

    /** DIR/* means the archives that are there: one more is more code. @FILE holds more of the command line. */
    private void addCommandLine() throws IOException {
        List<String> lists = new ArrayList<>(List.of(System.getenv().getOrDefault("CLASSPATH", "")));

        for (byte[] argument : Process.commandLine()) {
            String text = new String(argument, StandardCharsets.UTF_8);
            lists.add(text);
            if (text.startsWith("@") && Files.exists(Path.of(text.substring(1)))) {
                found.add(Path.of(text.substring(1)).toAbsolutePath());
            }
        }
        for (String list : lists) {
            for (String entry : list.split(":")) {
                if (entry.equals("*") || entry.endsWith("/*")) {
                    Path folder = Path.of(entry.substring(0, entry.length() - 1)).toAbsolutePath();
                    if (Files.isDirectory(folder)) {
                        found.add(folder);
                    }
                }
            }
        }
    }

    /** What any program's Java machine reads. */
    static List<Path> settings() {
        Path home = Path.of(System.getProperty("java.home"));
        List<Path> list = new ArrayList<>();

        for (String name : SETTINGS) {
            list.add(home.resolve(name));
        }
        return list;
    }

    private void addSettings() {
        found.addAll(settings());
    }

    private void addClasses(Class<?>[] loaded) {
        Set<Path> archives = new HashSet<>();

        for (Class<?> type : loaded) {
            Path source = type.getClassLoader() == null || type.isArray() || type.isHidden() ? null : source(type);
            if (source == null) {
                continue;
            }
            if (Files.isDirectory(source)) {
                addClassFile(source, type.getName().replace('.', '/') + ".class");
            } else if (archives.add(source)) {
                found.add(source);
            }
        }
    }

    private void addClassFile(Path source, String name) {
        if (!Files.exists(source.resolve(name))) {
            return; // made in memory
        }
        for (Path folder : folders) {
            found.add(folder.resolve(name));
            if (folder.equals(source)) {
                return;
            }
        }
        found.add(source.resolve(name)); // of a class loader of the program's own
    }

    /** The folder or archive of a class; for jar:file:/a.jar!/b.jar!/ that is /a.jar. Null: made in memory, or of the JDK. */
    private static Path source(Class<?> type) {
        ProtectionDomain domain = type.getProtectionDomain();
        CodeSource code = domain == null ? null : domain.getCodeSource();
        URL url = code == null ? null : code.getLocation();
        int begin = url == null ? -1 : url.toString().indexOf("file:");

        if (begin < 0) {
            return null;
        }
        String file = url.toString().substring(begin);
        int archive = file.indexOf("!/");
        return Path.of(URI.create(archive < 0 ? file : file.substring(0, archive))).toAbsolutePath();
    }
}
