// SPDX-License-Identifier: MIT
package warm;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.crac.CheckpointException;
import org.crac.RestoreException;

/**
 * A program that starts as if it were already running.
 *
 * <pre>
 *     loadEverything();                               // what is slow, and the same for every launch
 *     Warm.ready(new Warm.Options().argv(args));      // started by `warm exec`, the program is frozen and stored here ...
 *     serve(Warm.args());                             // ... and every later `warm exec` of it begins here
 * </pre>
 *
 * <p>{@code ready} returns twice, like fork: {@link Outcome#RESUMED} in the original, {@link Outcome#RESTORED} in each
 * copy. Resources registered with {@code org.crac.Core.getGlobalContext()} are told before and after.
 */
public final class Warm {
    /** What the hook did. */
    public enum Outcome {
        /** No snapshot is taken: no daemon, not started by `warm exec`, or refused. */
        COLD,
        /** The original: it was snapshotted and goes on. */
        RESUMED,
        /** A copy. */
        RESTORED
    }

    private Warm() {
    }

    /** The hook, with nothing declared. */
    public static Outcome ready() {
        return ready(new Options());
    }

    /**
     * The hook: call it once, when what is the same for every launch is done. Any thread may call it. Where no snapshot
     * is taken it returns {@link Outcome#COLD}, at once where no daemon wants one. A second call returns what the first
     * did.
     *
     * <p>In a copy whose resources fail it does not return: that process ends with exit status 125.
     *
     * @throws IllegalStateException in the original: a resource failed when it went on
     */
    public static Outcome ready(Options options) {
        if (!Hook.isAvailable()) {
            Hook.say(Hook.whyUnavailable() + ": no snapshot is taken");
            return Outcome.COLD;
        }
        try {
            return Hook.run(options);
        } catch (CheckpointException failure) {
            Hook.say(Hook.words(failure) + ": no snapshot is taken");
            return Outcome.COLD;
        } catch (RestoreException failure) {
            throw new IllegalStateException("a resource failed after the snapshot: " + Hook.words(failure), failure);
        }
    }

    /** The program's arguments: in a copy the launch's, else those that {@link Options#argv} was given. */
    public static String[] args() {
        return Hook.args();
    }

    /** The number of this copy, never 0 and never the same twice; 0 in the original. It costs no system call. */
    public static long generation() {
        return Hook.generation();
    }

    /**
     * What is the launch's from the hook on. To declare something is the program's word that it was not used before;
     * what is not declared must be equal, or a launch starts cold.
     */
    public static final class Options {
        String[] argv;
        boolean cwd;
        final List<String> env = new ArrayList<>();
        final List<Path> depends = new ArrayList<>();

        /** The program's arguments: pass what {@code main} got, and read {@link Warm#args} after the hook. */
        public Options argv(String[] args) {
            argv = args.clone();
            return this;
        }

        /** Environment variables, NAME or PREFIX*: {@code System.getenv} has the launch's after the hook. */
        public Options env(String... names) {
            for (String name : names) {
                if (name.isEmpty() || name.indexOf('=') >= 0) {
                    throw new IllegalArgumentException("not the name of an environment variable: " + name);
                }
                env.add(name);
            }
            return this;
        }

        /** The working directory, and {@code user.dir} with it. */
        public Options cwd() {
            cwd = true;
            return this;
        }

        /**
         * Files and directories that the program's state came from, besides its classes: settings, templates, data.
         * When one changes the snapshot is not used any more. One that does not exist must stay so.
         */
        public Options depends(Path... paths) {
            for (Path path : paths) {
                depends.add(Objects.requireNonNull(path).toAbsolutePath());
            }
            return this;
        }
    }
}
