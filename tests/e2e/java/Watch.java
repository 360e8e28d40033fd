// SPDX-License-Identifier: MIT
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import warm.Warm;

/** Has what no snapshot holds: an inotify descriptor. */
public class Watch {
    public static void main(String[] args) throws Exception {
        try (var watcher = FileSystems.getDefault().newWatchService()) {
            Path.of("/").register(watcher, StandardWatchEventKinds.ENTRY_CREATE);
            System.out.println(Warm.ready());
        }
    }
}
