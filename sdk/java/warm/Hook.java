// SPDX-License-Identifier: MIT
package warm;

import java.util.Arrays;
import org.crac.CheckpointException;
import org.crac.Context;
import org.crac.Resource;
import org.crac.RestoreException;

/**
 * The flow of the hook, from top to bottom; {@link Warm} and {@code org.crac.Core} are its faces. The process has one
 * hook, so its state is static.
 */
public final class Hook {
    private static final int GIVEN_UP = 125;

    private static boolean running;
    private static Warm.Outcome result;
    private static Warm.Options options = new Warm.Options();
    private static Context<Resource> context;
    private static CheckpointException calledOff;
    private static Process process;
    private static Generators generators;
    private static Timers timers;
    private static volatile String[] args;
    private static volatile long generation;
    private static volatile long restoreTime = -1;

    private Hook() {
    }

    /** Whether the native library could be loaded. */
    public static boolean isAvailable() {
        return Native.FAILURE == null;
    }

    public static String whyUnavailable() {
        return Native.FAILURE;
    }

    /** Milliseconds since 1970, -1 in the original. */
    public static long restoreTime() {
        return restoreTime;
    }

    static long generation() {
        return generation;
    }

    static String[] args() {
        String[] known = args;

        if (known == null) {
            throw new IllegalStateException("the program's arguments were not given to Warm.Options.argv()");
        }
        return known.clone();
    }

    /** Asks for a snapshot and returns in the original and in each copy. */
    public static synchronized Warm.Outcome run(Warm.Options wanted) throws CheckpointException, RestoreException {
        if (running) {
            return Warm.Outcome.COLD; // called by one of its own resources
        }
        if (result == null) {
            running = true;
            options = wanted;
            args = wanted.argv;
            context = Context.getGlobalContext();
            result = Warm.Outcome.COLD; // also where what follows throws
            try {
                result = ask();
            } finally {
                running = false;
            }
        }
        return result;
    }

    /** The same as {@code org.crac} promises it: it never returns as if there were a snapshot that was called off. */
    public static synchronized void checkpointRestore() throws CheckpointException, RestoreException {
        if (running) {
            throw new CheckpointException("a resource asked for a snapshot while one was being taken");
        }
        run(new Warm.Options());
        if (calledOff != null) {
            throw calledOff;
        }
    }

    private static Warm.Outcome ask() throws CheckpointException, RestoreException {
        if (!Native.isWanted()) {
            return Warm.Outcome.COLD; // nobody was told
        }
        Warm.Outcome outcome = Warm.Outcome.COLD;
        boolean wanted = true;
        try {
            if (prepare()) {
                int answer = Native.ask(process.fixed > 0, Math.max(process.fixed, 1), options.cwd, Process.bytes(options.env));
                wanted = answer != Native.UNWANTED;
                outcome = wanted ? Warm.Outcome.values()[answer] : Warm.Outcome.COLD;
            }
        } catch (IllegalStateException failure) { // in a copy only
            end(failure, "become the launch");
        } finally {
            Native.close();
            goOnCounting(outcome == Warm.Outcome.RESTORED);
        }
        if (outcome == Warm.Outcome.RESTORED) {
            become();
            return outcome;
        }
        if (outcome == Warm.Outcome.COLD && wanted && calledOff == null) {
            calledOff = new CheckpointException(Native.refusal());
        }
        goOn();
        return outcome;
    }

    private static void goOnCounting(boolean restored) {
        try {
            if (timers != null) {
                timers.goOn(restored);
            }
        } catch (LinkageError failure) { // in a copy only
            end(failure, "become the launch");
        }
        timers = null;
    }

    /** In the original: the resources open again what they closed, whether there is a snapshot or not. */
    private static void goOn() throws CheckpointException, RestoreException {
        try {
            context.afterRestore(context);
        } catch (RestoreException failure) {
            if (calledOff == null) {
                throw failure;
            }
            Arrays.stream(failure.getSuppressed()).forEach(calledOff::addSuppressed);
        }
        if (calledOff != null) {
            throw calledOff;
        }
    }

    /** Before the freeze. False: there is no snapshot. */
    private static boolean prepare() {
        try {
            process = new Process(options);
            context.beforeCheckpoint(context);
            Class<?>[] loaded = Native.loadedClasses();
            generators = new Generators(loaded);
            if (!Native.declare(Dependencies.of(options, loaded))) {
                throw new CheckpointException("the daemon went away");
            }
            process.settle();
            Heap.giveBack();
            timers = new Timers(loaded);
            timers.stop();
            return true;
        } catch (CheckpointException failure) {
            calledOff = failure;
        } catch (Throwable failure) {
            calledOff = new CheckpointException("this Java machine cannot be prepared: " + words(failure));
            calledOff.addSuppressed(failure);
        }
        return false;
    }

    /** In a copy, whose descriptors and libc are the launch's already. */
    private static void become() {
        try {
            generation = Native.generation();
            restoreTime = System.currentTimeMillis();
            generators.reseed();
            args = process.become();
        } catch (Throwable failure) {
            end(failure, "become the launch");
        }
        try {
            context.afterRestore(context);
        } catch (Throwable failure) {
            end(failure, "run a resource's afterRestore");
        }
    }

    /** A copy that cannot become what was launched must not go on. */
    private static void end(Throwable failure, String what) {
        say("this copy could not " + what + ": " + words(failure)
                + "; `warm exec --cold` runs the program without a snapshot");
        System.out.flush();
        Native.leave(GIVEN_UP);
    }

    static void say(String line) {
        System.err.println("warm: " + line);
        System.err.flush();
    }

    /** One line. */
    static String words(Throwable failure) {
        Throwable[] own = failure.getSuppressed();
        Throwable cause = failure.getMessage() == null && own.length > 0 ? own[0] : failure;

        return cause.toString().replaceAll("\\s+", " ");
    }
}
