// SPDX-License-Identifier: MIT
import java.io.File;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import org.crac.Context;
import org.crac.Core;
import org.crac.Resource;
import warm.Warm;

/** Uses everything before the hook and says behind it what it then finds, NAME=VALUE. */
public class Copy {
    /** Fails where the environment says so. */
    record Told(String name, List<String> calls) implements Resource {
        @Override
        public void beforeCheckpoint(Context<? extends Resource> context) {
            note("before");
        }

        @Override
        public void afterRestore(Context<? extends Resource> context) {
            note("after");
        }

        private void note(String when) {
            calls.add(when + " " + name);
            if ((when + " " + name).equals(System.getenv("APP_FAIL"))) {
                throw new IllegalArgumentException("no\nluck");
            }
        }
    }

    static final Map<String, SecureRandom> SECURE = new TreeMap<>();

    static Map<String, Object> draw() {
        Map<String, Object> drawn = new TreeMap<>();
        List<Integer> cards = new ArrayList<>();

        for (int i = 0; i < 40; i++) {
            cards.add(i);
        }
        Collections.shuffle(cards);
        drawn.put("Math.random", Math.random());
        drawn.put("StrictMath.random", StrictMath.random());
        drawn.put("ThreadLocalRandom", ThreadLocalRandom.current().nextLong());
        drawn.put("new Random", new Random().nextLong());
        drawn.put("new SplittableRandom", new SplittableRandom().nextLong());
        drawn.put("shuffle", cards);
        drawn.put("UUID", UUID.randomUUID());
        drawn.put("new SecureRandom", new SecureRandom().nextLong());
        SECURE.forEach((name, generator) -> drawn.put("old " + name, generator.nextLong()));
        return drawn;
    }

    /** Work for the collector and the compiler: objects survive full collections, and the sum comes out the same. */
    static long work() {
        List<byte[]> held = new ArrayList<>();
        long sum = 0;

        for (int i = 0; i < 20000; i++) {
            held.add(new byte[100]);
            held.get(i)[i % 100] = (byte) i;
            if (i % 5000 == 0) {
                System.gc();
            }
        }
        for (byte[] one : held) {
            for (byte b : one) {
                sum += b & 255;
            }
        }
        return sum;
    }

    /** What lz4 cannot pack, and nobody holds. */
    static void litter(int megabytes) {
        byte[][] held = new byte[megabytes][1 << 20];

        for (byte[] one : held) {
            ThreadLocalRandom.current().nextBytes(one);
        }
    }

    static String ratios() throws Exception {
        var machine = ManagementFactory.getPlatformMXBean(com.sun.management.HotSpotDiagnosticMXBean.class);

        return machine.getVMOption("MinHeapFreeRatio").getValue() + " " + machine.getVMOption("MaxHeapFreeRatio").getValue();
    }

    public static void main(String[] args) throws Exception {
        List<String> calls = Collections.synchronizedList(new ArrayList<>());
        List<Resource> kept = List.of(new Told("one", calls), new Told("two", calls));
        ExecutorService threads = Executors.newFixedThreadPool(4);

        kept.forEach(Core.getGlobalContext()::register);
        for (String name : List.of("SHA1PRNG", "DRBG", "NativePRNG", "NativePRNGBlocking")) {
            SECURE.put(name, SecureRandom.getInstance(name));
        }
        draw();
        for (int i = 0; i < 4; i++) {
            threads.submit(Copy::draw).get();
        }
        long worked = work();
        ZoneId.systemDefault();
        litter(Integer.getInteger("litter", 0));
        if (Boolean.getBoolean("early")) {
            System.in.read();
        }
        System.out.println("ahead");

        Warm.Outcome outcome = Warm.ready(new Warm.Options().argv(args).env("APP_*", "ONE", "TZ").cwd().depends(Path.of("data.txt")));

        Map<String, Object> told = new TreeMap<>();
        told.put("outcome", outcome + " " + Warm.ready());
        told.put("generation", Warm.generation());
        told.put("calls", String.join(", ", calls));
        told.put("work", work() == worked);
        told.put("ratios", ratios());
        told.put("cwd", System.getProperty("user.dir") + " " + Path.of("x").toAbsolutePath() + " " + new File("x").getAbsolutePath());
        told.put("columns", System.getenv("COLUMNS") + " " + System.getenv().get("COLUMNS"));
        told.put("env", System.getenv("APP_ONE") + " " + System.getenv("ONE") + " " + System.getenv("TWO") + " " + System.getenv().get("APP_ONE"));
        told.put("zone", ZoneId.systemDefault());
        told.put("input", new String(System.in.readAllBytes()));
        told.put("child", new String(new ProcessBuilder("sh", "-c", "echo $APP_ONE $TWO $PWD").start().getInputStream().readAllBytes()).trim());
        told.put("args", String.join("|", Warm.args()));
        draw().forEach((name, value) -> told.put("random " + name, value));
        threads.submit(Copy::draw).get().forEach((name, value) -> told.put("random of a thread " + name, value));
        told.forEach((name, value) -> System.out.println(name + "=" + value));
        threads.shutdown();
    }
}
