// SPDX-License-Identifier: MIT
package warm;

import java.lang.ref.WeakReference;
import java.security.SecureRandomSpi;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Two copies must not draw the same numbers. What the Java machine draws from is found before the freeze and reseeded
 * from the kernel in each copy: the generators behind Math.random, ThreadLocalRandom and Collections.shuffle, the seeds
 * of new generators, and every secure generator there is. A {@code new Random(…)} of the program is its own.
 */
final class Generators {
    private static final String ATOMIC = "Ljava/util/concurrent/atomic/AtomicLong;";
    private static final String RANDOM = "Ljava/util/Random;";
    private static final String RANDOM_IO = "Lsun/security/provider/NativePRNG$RandomIO;";
    private static final int SEED_BYTES = 48;

    private final List<AtomicLong> seeds = new ArrayList<>();
    private final List<Random> shared = new ArrayList<>();
    private final List<WeakReference<Object>> secure = new ArrayList<>();
    private final List<Object> native_ = new ArrayList<>();
    private final List<WeakReference<Thread>> threads = new ArrayList<>();

    Generators(Class<?>[] loaded) {
        Map<String, Class<?>> named = new HashMap<>();

        for (Class<?> type : loaded) {
            if (type.getClassLoader() == null) {
                named.put(type.getName(), type);
            }
        }
        seeds.add(find(Random.class, "seedUniquifier"));
        seeds.add(find(ThreadLocalRandom.class, "seeder"));
        for (Class<?> type : named.values()) {
            findSeed(type);
        }
        findShared(named);
        findSecure(named);
        for (Object thread : Native.instances(Thread.class)) {
            threads.add(new WeakReference<>((Thread) thread));
        }
    }

    private static AtomicLong find(Class<?> type, String field) {
        return (AtomicLong) Native.getObject(type, null, field, ATOMIC);
    }

    /** SplittableRandom and the generators of java.util.random. */
    private void findSeed(Class<?> type) {
        String name = type.getName();

        if (name.equals("java.util.SplittableRandom") || name.matches("jdk\\.(internal\\.)?random\\.\\w+")) {
            try {
                seeds.add(find(type, "defaultGen"));
            } catch (NoSuchFieldError none) {
                // An abstract one, or one that is always given its seed.
            }
        }
    }

    private void findShared(Map<String, Class<?>> named) {
        for (String holder : new String[] {"java.lang.Math", "java.lang.StrictMath"}) {
            Class<?> type = named.get(holder + "$RandomNumberGeneratorHolder");
            if (type != null) {
                shared.add((Random) Native.getObject(type, null, "randomNumberGenerator", RANDOM));
            }
        }
        Random shuffle = (Random) Native.getObject(java.util.Collections.class, null, "r", RANDOM);
        if (shuffle != null) {
            shared.add(shuffle);
        }
    }

    private void findSecure(Map<String, Class<?>> named) {
        for (String owner : new String[] {"", "$Blocking", "$NonBlocking"}) {
            Class<?> type = named.get("sun.security.provider.NativePRNG" + owner);
            Object source = type == null ? null : Native.getObject(type, null, "INSTANCE", RANDOM_IO);
            if (source != null) {
                native_.add(source);
            }
        }
        remember(SecureRandomSpi.class);
        if (named.containsKey("sun.security.provider.AbstractDrbg")) {
            remember(named.get("sun.security.provider.AbstractDrbg"));
        }
    }

    /** All but NativePRNG's: these write what they are given to /dev/urandom, and keep nothing themselves. */
    private void remember(Class<?> type) {
        for (Object generator : Native.instances(type)) {
            if (!generator.getClass().getName().startsWith("sun.security.provider.NativePRNG")) {
                secure.add(new WeakReference<>(generator));
            }
        }
    }

    /** In a copy. */
    void reseed() throws ClassNotFoundException {
        for (AtomicLong seed : seeds) {
            seed.set(Native.random());
        }
        for (Random generator : shared) {
            generator.setSeed(Native.random());
        }
        for (Object source : native_) {
            forgetBuffer(source);
        }
        for (WeakReference<Object> reference : secure) {
            Object generator = reference.get();
            if (generator != null) {
                Native.setSeed(generator, bytes());
            }
        }
        for (Thread thread : everyThread()) {
            Native.setLong(Thread.class, thread, "threadLocalRandomSeed", Native.random());
        }
    }

    /** NativePRNG reads ahead from /dev/urandom. */
    private static void forgetBuffer(Object source) throws ClassNotFoundException {
        Class<?> type = source.getClass();

        synchronized (Native.getObject(type, source, "LOCK_GET_BYTES", "Ljava/lang/Object;")) {
            Native.setInt(type, source, "buffered", 0);
        }
    }

    private static byte[] bytes() {
        byte[] seed = new byte[SEED_BYTES];

        for (int i = 0; i < seed.length; i += Long.BYTES) {
            long value = Native.random();
            for (int j = 0; j < Long.BYTES; j++) {
                seed[i + j] = (byte) (value >> 8 * j);
            }
        }
        return seed;
    }

    /** Those of before the freeze, and those that have come since. */
    private Collection<Thread> everyThread() {
        Map<Thread, Boolean> all = new java.util.IdentityHashMap<>();
        ThreadGroup root = Thread.currentThread().getThreadGroup();

        while (root.getParent() != null) {
            root = root.getParent();
        }
        Thread[] live = new Thread[threads.size() + 64];
        for (int n = root.enumerate(live); n == live.length; n = root.enumerate(live)) {
            live = new Thread[2 * n];
        }
        for (Thread thread : live) {
            if (thread != null) {
                all.put(thread, true);
            }
        }
        for (WeakReference<Thread> reference : threads) {
            Thread thread = reference.get();
            if (thread != null) {
                all.put(thread, true);
            }
        }
        return all.keySet();
    }
}
