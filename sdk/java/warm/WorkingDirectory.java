// SPDX-License-Identifier: MIT
package warm;

import java.io.File;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.FileSystem;
import java.nio.file.Path;

/** java.io and java.nio have each read user.dir once and keep it. */
final class WorkingDirectory {
    static final Charset PLATFORM = Charset.forName(System.getProperty("sun.jnu.encoding", "UTF-8"));

    private final Object files; // java.io.UnixFileSystem
    private final Class<?> filesType, pathsType;

    /** Finds everything at once. */
    WorkingDirectory() throws ReflectiveOperationException {
        files = fileSystem();
        filesType = Class.forName("java.io.UnixFileSystem");
        pathsType = Class.forName("sun.nio.fs.UnixFileSystem");
    }

    /** Java 21 has renamed it. */
    private static Object fileSystem() {
        try {
            return Native.getObject(File.class, null, "fs", "Ljava/io/FileSystem;");
        } catch (NoSuchFieldError newer) {
            return Native.getObject(File.class, null, "FS", "Ljava/io/FileSystem;");
        }
    }

    /** In a copy: the kernel's is the launch's already. */
    void follow() throws IOException {
        Path now = Path.of("/proc/self/cwd").toRealPath();
        FileSystem fileSystem = now.getFileSystem();

        System.setProperty("user.dir", now.toString());
        Native.setObject(filesType, files, "userDir", "Ljava/lang/String;", now.toString());
        Native.setObject(pathsType, fileSystem, "defaultDirectory", "[B", now.toString().getBytes(PLATFORM));
    }
}
