// SPDX-License-Identifier: MIT
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Timers of every kind, which all have some seconds to go shortly before the hook. */
public final class Timing {
    private static final int DISTANCE_MS = 3000, PERIOD_MS = 100;
    private static final Map<String, Long> due = new TreeMap<>();

    private static synchronized void note(String name) {
        due.put(name, System.nanoTime());
        Timing.class.notifyAll();
    }

    private static synchronized void await(int n) throws InterruptedException {
        while (due.size() < n) {
            Timing.class.wait();
        }
    }

    public static void main(String[] args) throws Exception {
        AtomicInteger ticks = new AtomicInteger();
        ScheduledExecutorService executor = Executors.newScheduledThreadPool(1);
        java.util.Timer timer = new java.util.Timer(true);

        executor.scheduleAtFixedRate(ticks::incrementAndGet, PERIOD_MS, PERIOD_MS, TimeUnit.MILLISECONDS);
        executor.schedule(() -> note("executor"), DISTANCE_MS, TimeUnit.MILLISECONDS);
        CompletableFuture.delayedExecutor(DISTANCE_MS, TimeUnit.MILLISECONDS).execute(() -> note("delayed"));
        timer.schedule(new java.util.TimerTask() {
            @Override
            public void run() {
                note("timer");
            }
        }, DISTANCE_MS);
        new Thread(() -> {
            try {
                Thread.sleep(DISTANCE_MS);
            } catch (InterruptedException never) {
                return;
            }
            note("sleep");
        }).start();
        String outcome = warm.Warm.ready().toString();
        long began = System.nanoTime();
        int before = ticks.get();
        Thread.sleep(PERIOD_MS * 7 / 2);
        System.out.println("outcome=" + outcome);
        System.out.println("ticks=" + (ticks.get() - before));
        await(4);
        due.forEach((name, when) -> System.out.println(name + "=" + (when - began) / 1e9));
        executor.shutdownNow();
    }
}
