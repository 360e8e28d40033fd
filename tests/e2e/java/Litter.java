// SPDX-License-Identifier: MIT
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Litter READY COLLECT: makes 10 MiB to keep and 120 MiB of garbage, collects that itself where COLLECT is "gc", and is ready: says so
 * ("stdout"), or listens on this port, or loads a library that says so (its path). When it hears something it says whether everything is there, through more garbage and collections,
 * and what a program could notice of Warm.
 */
public class Litter {
    static final int KEPT = 10 << 20, GARBAGE = 120 << 20;

    /** What can be packed is no garbage to count. */
    static List<Object> make(Random random) {
        List<Object> made = new ArrayList<>();

        made.add(random.ints(600_000).toArray()); // larger than half a region of G1's
        for (int bytes = 0; bytes < KEPT;) {
            byte[] some = new byte[random.nextInt(40_000)];

            random.nextBytes(some);
            made.add(made.size() % 3 == 0 ? List.of(some, "number " + made.size()) : some);
            bytes += some.length;
        }
        return made;
    }

    static Object copy(Object of) {
        return of instanceof int[] numbers ? numbers.clone()
                : of instanceof List<?> list ? List.of(copy(list.get(0)), list.get(1)) : ((byte[]) of).clone();
    }

    static int sum(Object object) {
        return object instanceof byte[] bytes ? Arrays.hashCode(bytes)
                : object instanceof int[] numbers ? Arrays.hashCode(numbers)
                : object instanceof List<?> list ? list.stream().mapToInt(Litter::sum).reduce(0, (a, b) -> a * 31 + b)
                : object.hashCode();
    }

    /** Some of it grows old first. */
    static void litter(List<Object> kept, Random random) {
        List<Object> old = new ArrayList<>();

        for (int bytes = 0; bytes < GARBAGE; bytes += 20_000) {
            Object some = copy(kept.get(random.nextInt(kept.size() - 1) + 1));

            if (old.size() < 2000) {
                old.add(some);
            } else {
                old.set(random.nextInt(2000), some);
            }
            if (bytes % 10_000_000 == 0) {
                old.set(0, copy(kept.get(0)));
            }
        }
    }

    static String child() throws IOException {
        Process child = new ProcessBuilder("sh", "-c", "echo \"$LD_PRELOAD\" $(grep SigBlk /proc/self/status)").start();

        return new String(child.getInputStream().readAllBytes()).strip();
    }

    /** What there is one for each of, without what comes and goes by itself. */
    static String state() throws IOException {
        try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
            String threads = tasks.map(Litter::name).filter(name -> !name.matches("(GC|G1|C1|C2|process|VM Periodic).*")).sorted()
                    .collect(Collectors.joining(" "));

            return "threads " + threads + "\ndescriptors " + Path.of("/proc/self/fd").toFile().list().length;
        }
    }

    static String name(Path task) {
        try {
            return Files.readString(task.resolve("comm")).strip();
        } catch (IOException gone) {
            return "GC";
        }
    }

    static void say(String name, Object what) {
        System.out.println(name + "=" + what);
    }

    public static void main(String[] args) throws Exception {
        Random random = new Random(7);
        List<Object> kept = make(random);
        int sum = sum(kept);
        String state = state();

        litter(kept, random);
        if (args[1].equals("gc")) {
            System.gc();
        }
        if (args[0].equals("stdout")) {
            System.out.println("ready");
            System.in.read();
        } else if (args[0].startsWith("/")) {
            System.load(args[0]);
            System.in.read();
        } else {
            try (ServerSocket socket = new ServerSocket(Integer.parseInt(args[0]))) {
                socket.accept().close();
            }
        }
        String now = state();

        for (int i = 0; i < 2; i++) {
            say("kept", sum(kept) == sum);
            litter(kept, random);
            System.gc();
        }
        say("preload", System.getenv("LD_PRELOAD"));
        say("child", child());
        say("same", state.equals(now) ? "yes" : state + "\n" + now);
        say("blocked", Files.readString(Path.of("/proc/self/status")).lines().filter(line -> line.startsWith("SigBlk")).findFirst().get());
    }
}
