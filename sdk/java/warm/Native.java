// SPDX-License-Identifier: MIT
package warm;

import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;

/** libwarmjava: the conversation with the daemon, and what no Java code may touch in the Java machine itself. */
final class Native {
    private static final String LIBRARY = "libwarmjava.so";
    private static final String[] PLACES = {"", "..", "../../lib", "/usr/local/lib", "/usr/lib"};

    /** Why the library could not be loaded, or null. */
    static final String FAILURE = load();

    private Native() {
    }

    /* The conversation with the daemon, in this order. */

    /** Connects and asks: does the daemon want a snapshot of this process? */
    static native boolean isWanted();

    /** Files that state came from: absolute paths. False: the daemon went away. */
    static native boolean declare(byte[][] paths);

    /** An outcome of {@link #ask}: cold, and nothing has failed. */
    static final int UNWANTED = 4;

    /** Blocks; here the snapshot is taken, and here a copy begins. Returns the ordinal of the outcome, or UNWANTED. */
    static native int ask(boolean argv, int fixedArguments, boolean cwd, byte[][] env);

    static native void close();

    /* The answer. */

    /** Why it was COLD. */
    static native String refusal();

    /** The launch's whole command line; empty: the same as ours. */
    static native byte[][] launchArguments();

    /** NAME=VALUE, or NAME: variables that no key looks at, and that the launch has otherwise. */
    static native byte[][] launchChanges();

    /** How many of them came before the program's own; 0: not said. */
    static native int launchFixedArguments();

    static native long generation();

    /* The process. */

    /** libc's environment, NAME=VALUE: in a copy the launch's where it was declared so. */
    static native byte[][] environment();

    /** Ends it at once. */
    static native void leave(int status);

    /** From the kernel. */
    static native long random();

    static native Class<?>[] loadedClasses();

    /** All objects of a class or one that extends it. */
    static native Object[] instances(Class<?> type);

    /* Fields of the Java machine's own classes, private and final ones too. `self` is null for a static one. A field
     * that is not there is a NoSuchFieldError: another Java machine than those we know. */

    static native Object getObject(Class<?> type, Object self, String name, String signature);

    static native int getInt(Class<?> type, Object self, String name);

    static native long getLong(Class<?> type, Object self, String name);

    static native void setObject(Class<?> type, Object self, String name, String signature, Object value);

    static native void setInt(Class<?> type, Object self, String name, int value);

    static native void setLong(Class<?> type, Object self, String name, long value);

    /** Calls a static method that takes a byte[] and returns an object. */
    static native Object callStatic(Class<?> type, String name, String signature, byte[] argument);

    /** Calls engineSetSeed(byte[]) of a random generator. */
    static native void setSeed(Object generator, byte[] seed);

    /** Whether warm-java.so has defined this class, and its methods with it. */
    private static boolean isPreloaded() {
        ClassLoader own = Native.class.getClassLoader();

        return own != null && own.getClass() == java.security.SecureClassLoader.class;
    }

    /** Beside the archive with this class, or where that is built or installed; else where the library is installed alone. */
    private static String load() {
        if (isPreloaded()) {
            return null;
        }
        try {
            Path home = Path.of(URI.create(Native.class.getProtectionDomain().getCodeSource().getLocation().toString()));
            for (String place : PLACES) {
                Path library = (Files.isDirectory(home) ? home : home.getParent()).resolve(place).resolve(LIBRARY).normalize();
                if (Files.exists(library)) {
                    System.load(library.toString());
                    return null;
                }
            }
        } catch (RuntimeException ignored) {
            // An archive in an archive has no folder beside it: LD_LIBRARY_PATH has to help.
        } catch (UnsatisfiedLinkError error) {
            return LIBRARY + ": " + error.getMessage();
        }
        try {
            System.loadLibrary("warmjava");
            return null;
        } catch (UnsatisfiedLinkError error) {
            return LIBRARY + " is not there (" + error.getMessage() + "): put its folder into LD_LIBRARY_PATH";
        }
    }
}
