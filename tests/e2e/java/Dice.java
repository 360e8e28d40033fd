// SPDX-License-Identifier: MIT
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;

/** Knows nothing of Warm. Draws from every generator, waits, and draws again: NAME NUMBER lines, "same" of what is the program's own. */
public class Dice {
    private static final List<SecureRandom> SECURE = new ArrayList<>();
    private static final ExecutorService OTHER = Executors.newFixedThreadPool(1);
    private static final Random OWN = new Random(5);
    private static StringBuilder said;

    private static void say(String name, Object number) {
        said.append(name).append(' ').append(number).append('\n');
    }

    private static void draw() throws Exception {
        List<Integer> cards = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            cards.add(i);
        }
        Collections.shuffle(cards);
        said = new StringBuilder();
        say("math", Math.random());
        say("strict", StrictMath.random());
        say("thread", ThreadLocalRandom.current().nextLong());
        say("other", OTHER.submit(() -> ThreadLocalRandom.current().nextLong()).get());
        say("shuffle", cards.toString().replace(" ", ""));
        say("new", new Random().nextLong());
        say("split", new SplittableRandom().nextLong());
        say("uuid", UUID.randomUUID());
        for (SecureRandom secure : SECURE) {
            say(secure.getAlgorithm() + secure.toString().replaceAll("\\W", ""), secure.nextLong());
        }
        say("same", OWN.nextLong());
    }

    private static void ready(String how) throws Exception {
        if (how.equals("stdout")) {
            System.out.println("ready");
            System.in.read();
        } else if (how.endsWith(".so")) {
            System.load(how);
            System.in.read();
        } else {
            try (ServerSocket server = new ServerSocket(Integer.parseInt(how), 5, InetAddress.getLoopbackAddress())) {
                server.accept().close();
            }
        }
    }

    public static void main(String[] args) throws Exception {
        for (String name : new String[] {"NativePRNG", "NativePRNGNonBlocking", "SHA1PRNG", "DRBG"}) {
            SECURE.add(SecureRandom.getInstance(name));
        }
        for (String mechanism : new String[] {"HMAC_DRBG", "CTR_DRBG"}) {
            java.security.Security.setProperty("securerandom.drbg.config", mechanism);
            SECURE.add(SecureRandom.getInstance("DRBG"));
        }
        draw();
        ready(args[0]);
        draw();
        System.out.print(said);
        OTHER.shutdown();
    }
}
