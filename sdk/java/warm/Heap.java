// SPDX-License-Identifier: MIT
package warm;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

/** Gives the free part of the heap back to the kernel, so that a snapshot carries live objects only. */
final class Heap {
    private static final String MIN = "MinHeapFreeRatio", MAX = "MaxHeapFreeRatio";

    /** G1 gives back in a thread of its own, a part every 10 ms. */
    private static final int UNCOMMIT_MS = 25;

    private Heap() {
    }

    static void giveBack() throws InterruptedException, IOException {
        try {
            collectAll(ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class));
        } catch (LinkageError | IllegalArgumentException other) { // a machine that was made without it, or is not HotSpot
            System.gc();
        }
        for (long before = Long.MAX_VALUE, now = resident(); now < before; before = now, now = resident()) {
            Thread.sleep(UNCOMMIT_MS);
        }
    }

    /** A full collection leaves the heap as large as these two allow: they are lowered for one. */
    private static void collectAll(HotSpotDiagnosticMXBean machine) {
        String min = machine.getVMOption(MIN).getValue(), max = machine.getVMOption(MAX).getValue();

        machine.setVMOption(MIN, "0");
        machine.setVMOption(MAX, "5");
        try {
            System.gc();
            System.gc(); // G1 keeps less of the first one's garbage
        } finally {
            machine.setVMOption(MAX, max);
            machine.setVMOption(MIN, min);
        }
    }

    /** In pages. */
    private static long resident() throws IOException {
        return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]);
    }
}
