// SPDX-License-Identifier: MIT
import java.io.File;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.TreeMap;

/** What a program can see of how it was started. */
public class State {
    public static void main(String[] args) throws Exception {
        TreeMap<Object, Object> properties = new TreeMap<>(System.getProperties());

        System.out.println(Arrays.toString(args));
        properties.forEach((name, value) -> System.out.println(name + "=" + value));
        System.out.println(System.getenv());
        System.out.println(new File("x").getAbsolutePath() + " " + Path.of("x").toAbsolutePath() + " " + new File("State.class").exists());
        System.out.println(ManagementFactory.getRuntimeMXBean().getInputArguments() + " " + ManagementFactory.getRuntimeMXBean().getClassPath());
        System.out.println(Files.readString(Path.of("/proc/self/cmdline")).replace('\0', '|') + Files.readString(Path.of("/proc/self/comm")));
        System.out.println(Thread.currentThread() + " " + Thread.activeCount() + " " + State.class.getClassLoader().getClass());
        System.out.println(State.class.getProtectionDomain().getCodeSource().getLocation() + " " + State.class.desiredAssertionStatus());
        System.out.println(ClassLoader.getSystemResource("State.class") + " " + ClassLoader.getSystemResource("warm/Stop.class"));
        System.out.println(System.console() == null);
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.matches("(Sig[BIC]|Shd|Cap|NoNew|Seccomp:|Umask).*")) {
                System.out.println(line);
            }
        }
        int next = System.in.read();
        System.out.println("read " + next + " " + Arrays.toString(new Throwable().getStackTrace()));
    }
}
