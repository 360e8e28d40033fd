// SPDX-License-Identifier: MIT
package warm;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TimeZone;

/**
 * Making the Java machine agree with the launch. The kernel's side - descriptors 0 1 2, the working directory - and
 * libc's are the launch's before a copy gets here; this is the side that Java keeps itself.
 */
final class Process {
    private static final Charset PLATFORM = WorkingDirectory.PLATFORM;

    private final Warm.Options options;
    private final byte[][] commandLine;
    /** How many elements of the command line come before the program's own; 0: these are not the launch's. */
    final int fixed;
    private final InputStream in = System.in;
    private final Map<Object, Object> environment;
    private final Class<?> variable, value;
    private final WorkingDirectory directory = new WorkingDirectory();

    /** Finds everything at once: a Java machine that lacks a part has no snapshot, rather than copies that are wrong. */
    @SuppressWarnings("unchecked")
    Process(Warm.Options options) throws ReflectiveOperationException, IOException {
        Class<?> holder = Class.forName("java.lang.ProcessEnvironment");

        this.options = options;
        commandLine = commandLine();
        fixed = options.argv == null ? 0 : fixedArguments(commandLine, options.argv);
        variable = Class.forName("java.lang.ProcessEnvironment$Variable");
        value = Class.forName("java.lang.ProcessEnvironment$Value");
        environment = (Map<Object, Object>) Native.getObject(holder, null, "theEnvironment", "Ljava/util/HashMap;");
    }

    static byte[][] commandLine() throws IOException {
        byte[] text = Files.readAllBytes(Path.of("/proc/self/cmdline"));
        List<byte[]> list = new ArrayList<>();

        for (int begin = 0, end = 0; end < text.length; end++) {
            if (text[end] == 0) {
                list.add(Arrays.copyOfRange(text, begin, end));
                begin = end + 1;
            }
        }
        return list.toArray(byte[][]::new);
    }

    /**
     * 0 where the command line does not end with these, as with a program that changed them, or one whose arguments come
     * from a file (java @FILE).
     */
    private static int fixedArguments(byte[][] all, String[] argv) {
        int fixed = all.length - argv.length;

        for (int i = 0; fixed > 0 && i < argv.length; i++) {
            if (!Arrays.equals(all[fixed + i], argv[i].getBytes(PLATFORM))) {
                return 0;
            }
        }
        return Math.max(fixed, 0);
    }

    static byte[][] bytes(List<String> names) {
        return names.stream().map(name -> name.getBytes(PLATFORM)).toArray(byte[][]::new);
    }

    /** Before the freeze: what was printed is printed once, by the original. */
    void settle() {
        System.out.flush();
        System.err.flush();
    }

    /** In a copy. Returns the program's arguments, null where they were never given. */
    String[] become() throws ReflectiveOperationException, IOException {
        forgetInput();
        setEnvironment(Native.launchChanges());
        if (isNamed("TZ")) {
            forgetTimeZone();
        }
        if (options.cwd) {
            directory.follow();
        }
        return fixed > 0 ? ownArguments() : options.argv;
    }

    /** What standard input had read ahead is not the launch's. A stream of the program's own is its own. */
    private void forgetInput() {
        if (in == null || in.getClass() != BufferedInputStream.class || index("count") <= index("pos")) {
            return; // a thread that is waiting for input holds the lock, and has read nothing ahead
        }
        synchronized (in) {
            Native.setInt(BufferedInputStream.class, in, "count", 0);
            Native.setInt(BufferedInputStream.class, in, "pos", 0);
            Native.setInt(BufferedInputStream.class, in, "markpos", -1);
        }
    }

    private int index(String field) {
        return Native.getInt(BufferedInputStream.class, in, field);
    }

    /** What was declared, and the variables that no key looks at. */
    private void setEnvironment(byte[][] changes) {
        for (byte[] change : changes) {
            int equals = find(change, (byte) '=');
            Object name = make(variable, equals < 0 ? change : Arrays.copyOf(change, equals));
            environment.remove(name);
            if (equals >= 0) {
                environment.put(name, make(value, Arrays.copyOfRange(change, equals + 1, change.length)));
            }
        }
        if (options.env.isEmpty()) {
            return;
        }
        environment.keySet().removeIf(name -> isNamed(name.toString()));
        for (byte[] assignment : Native.environment()) {
            int equals = find(assignment, (byte) '=');
            byte[] name = Arrays.copyOf(assignment, Math.max(equals, 0));
            if (equals > 0 && isNamed(new String(name, PLATFORM))) {
                environment.put(make(variable, name), make(value, Arrays.copyOfRange(assignment, equals + 1, assignment.length)));
            }
        }
    }

    /** The default zone is found once and kept, in a property too: which stays where the command line has set it. */
    private void forgetTimeZone() {
        for (byte[] argument : commandLine) {
            if (new String(argument, PLATFORM).startsWith("-Duser.timezone=")) {
                return;
            }
        }
        System.clearProperty("user.timezone");
        TimeZone.setDefault(null);
    }

    private static Object make(Class<?> type, byte[] text) {
        return Native.callStatic(type, "valueOf", "([B)L" + type.getName().replace('.', '/') + ";", text);
    }

    private boolean isNamed(String name) {
        for (String pattern : options.env) {
            if (pattern.endsWith("*") ? name.startsWith(pattern.substring(0, pattern.length() - 1)) : name.equals(pattern)) {
                return true;
            }
        }
        return false;
    }

    private static int find(byte[] text, byte wanted) {
        for (int i = 0; i < text.length; i++) {
            if (text[i] == wanted) {
                return i;
            }
        }
        return -1;
    }

    /**
     * What the launch has behind the Java machine's part of its command line. Where the daemon does not say how long that
     * is, it must be our own.
     */
    private String[] ownArguments() {
        byte[][] all = Native.launchArguments();
        int said = Native.launchFixedArguments(), skip = said > 0 ? said : fixed;

        if (all.length == 0) {
            return options.argv; // the same as ours
        }
        if (all.length < skip || said == 0 && !Arrays.equals(commandLine, 0, fixed, all, 0, fixed, Arrays::compare)) {
            throw new IllegalStateException("the launch's command line is another one than this process's");
        }
        return Arrays.stream(all, skip, all.length).map(text -> new String(text, PLATFORM)).toArray(String[]::new);
    }
}
