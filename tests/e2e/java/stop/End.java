// SPDX-License-Identifier: MIT
import java.security.SecureRandom;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/** Ways to end, by the first argument. */
public class End {
    public static void main(String[] args) throws Exception {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
        switch (args[0]) {
            case "return" -> System.out.println("returned");
            case "exit" -> System.exit(7);
            case "throw" -> throw new IllegalStateException("no", new Exception("cause"));
            case "halt" -> Runtime.getRuntime().halt(3);
            case "thread" -> new Thread(() -> {
                nap(100);
                System.out.println("late");
            }).start();
            case "daemon" -> {
                Thread thread = new Thread(() -> nap(60000));
                thread.setDaemon(true);
                thread.start();
            }
            case "wait" -> {
                System.out.println("up");
                nap(60000);
            }
            case "random" -> System.out.println(Math.random() + " " + new Random().nextLong() + " " + ThreadLocalRandom.current().nextLong()
                    + " " + new SecureRandom().nextLong() + " " + UUID.randomUUID());
            default -> throw new AssertionError(args[0]);
        }
    }

    private static void nap(int ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
        }
    }
}
