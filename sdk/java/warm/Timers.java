// SPDX-License-Identifier: MIT
package warm;

import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Lock;

/**
 * The lists of due times that Java's timers keep: ScheduledThreadPoolExecutor, which counts on System.nanoTime, and
 * java.util.Timer, which counts on the time of day. Both went on while a copy lay in its image: without help every task
 * would be due at once, and one with a period as often as it was missed. They keep their distance instead. Threads that
 * wait for one sleep as long as they would have, that is the engine's; then they look at these lists.
 */
final class Timers {
    private static final String EXECUTOR = "java.util.concurrent.ScheduledThreadPoolExecutor";
    private static final String LOCK = "Ljava/util/concurrent/locks/ReentrantLock;";
    private static final String QUEUE = "Ljava/util/concurrent/BlockingQueue;";
    private static final int PATIENCE_MS = 100;

    private final Class<?> future, timerQueue;
    /** Of each executor; null: it could not be had. */
    private final Map<BlockingQueue<?>, Lock> queues = new LinkedHashMap<>();
    private final Object[] timerQueues;
    /** Those that run at the moment are in no queue. */
    private Object[] futures = {};
    private long nanos, millis;

    Timers(Class<?>[] loaded) {
        Class<?> executor = find(loaded, EXECUTOR);

        future = find(loaded, EXECUTOR + "$ScheduledFutureTask");
        timerQueue = find(loaded, "java.util.TaskQueue");
        timerQueues = instances(timerQueue);
        for (Object each : instances(executor)) {
            Object queue = Native.getObject(ThreadPoolExecutor.class, each, "workQueue", QUEUE);
            if (queue != null && queue.getClass().getName().equals(EXECUTOR + "$DelayedWorkQueue")) {
                queues.put((BlockingQueue<?>) queue, null);
            }
        }
    }

    private static Class<?> find(Class<?>[] loaded, String name) {
        for (Class<?> type : loaded) {
            if (type.getClassLoader() == null && type.getName().equals(name)) {
                return type;
            }
        }
        return null;
    }

    private static Object[] instances(Class<?> type) {
        return type == null ? new Object[0] : Native.instances(type);
    }

    /** Before the freeze: until the times are right again nobody looks at them. */
    void stop() {
        for (Map.Entry<BlockingQueue<?>, Lock> queue : queues.entrySet()) {
            Lock lock = (Lock) Native.getObject(queue.getKey().getClass(), queue.getKey(), "lock", LOCK);
            queue.setValue(take(lock) ? lock : null);
        }
        futures = instances(future);
        nanos = System.nanoTime();
        millis = System.currentTimeMillis();
    }

    private static boolean take(Lock lock) {
        try {
            return lock.tryLock(PATIENCE_MS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    void goOn(boolean restored) {
        try {
            if (restored) {
                shift(System.nanoTime() - nanos, System.currentTimeMillis() - millis);
            }
        } finally {
            for (Lock lock : queues.values()) {
                if (lock != null) {
                    lock.unlock();
                }
            }
        }
    }

    private void shift(long byNanos, long byMillis) {
        Set<Object> tasks = Collections.newSetFromMap(new IdentityHashMap<>());

        Collections.addAll(tasks, futures);
        for (BlockingQueue<?> queue : queues.keySet()) {
            for (Object task : queue.toArray()) {
                if (task.getClass() == future) {
                    tasks.add(task);
                }
            }
        }
        for (Object task : tasks) {
            Native.setLong(future, task, "time", Native.getLong(future, task, "time") + byNanos); // it may go round
        }
        for (Object queue : timerQueues) {
            shiftTimer(queue, byMillis);
        }
    }

    private void shiftTimer(Object queue, long by) {
        synchronized (queue) {
            Object[] tasks = (Object[]) Native.getObject(timerQueue, queue, "queue", "[Ljava/util/TimerTask;");

            for (int i = 1; i <= Native.getInt(timerQueue, queue, "size"); i++) {
                long time = Native.getLong(java.util.TimerTask.class, tasks[i], "nextExecutionTime");
                if (time <= Long.MAX_VALUE - Math.max(by, 0)) {
                    Native.setLong(java.util.TimerTask.class, tasks[i], "nextExecutionTime", time + by);
                }
            }
        }
    }
}
