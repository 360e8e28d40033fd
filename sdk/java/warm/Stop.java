// SPDX-License-Identifier: MIT
package warm;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The Java half of warm-java.so (sdk/java/stop), which stops a Java machine just before its program. It is defined in a
 * class loader of its own, where no program sees it.
 */
final class Stop {
    private static WorkingDirectory directory;
    private static Generators generators;

    private Stop() {
    }

    /** Before the freeze: loads what is to be loaded. What went wrong with that, in words. */
    static byte[] prepare(byte[][] names) throws ReflectiveOperationException {
        List<String> wrong = new ArrayList<>();

        for (byte[] bytes : names) {
            String name = new String(bytes, WorkingDirectory.PLATFORM);
            try {
                Class.forName(name, true, ClassLoader.getPlatformClassLoader());
            } catch (ClassNotFoundException | LinkageError failure) {
                wrong.add(name + ": " + failure.toString().replaceAll("\\s+", " "));
            }
        }
        System.out.flush();
        System.err.flush();
        directory = new WorkingDirectory();
        Class<?>[] loaded = Native.loadedClasses();
        for (Class<?> type : loaded) {
            if (type.getName().equals("java.lang.ProcessEnvironment")) {
                throw new IllegalStateException("what is loaded before programs reads the environment");
            }
        }
        generators = new Generators(loaded);
        return String.join("; ", wrong).getBytes(WorkingDirectory.PLATFORM);
    }

    /** The files that all of it came from; the Java machine's own the daemon sees itself. */
    static byte[][] depends() {
        List<Path> files = Dependencies.settings();

        return files.stream().map(file -> file.toString().getBytes(WorkingDirectory.PLATFORM)).toArray(byte[][]::new);
    }

    /** In a copy. classPath: null where it is what it was. */
    static void become(byte[] classPath, byte[] command) throws Exception {
        generators.reseed();
        directory.follow();
        System.setProperty("sun.java.command", new String(command, WorkingDirectory.PLATFORM));
        if (classPath != null) {
            System.setProperty("java.class.path", new String(classPath, WorkingDirectory.PLATFORM));
        }
    }
}
