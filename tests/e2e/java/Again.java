// SPDX-License-Identifier: MIT
import java.io.IOException;
import org.crac.Context;
import org.crac.Core;
import org.crac.Resource;
import warm.Warm;

/** Stops twice, for a byte each time: before the hook, and in its resource. -Dcrac=true: written for org.crac. */
public class Again implements Resource {
    private static void line(String said) throws IOException {
        System.out.println(said);
        System.in.read();
    }

    @Override
    public void beforeCheckpoint(Context<? extends Resource> context) throws IOException {
        line("before");
    }

    @Override
    public void afterRestore(Context<? extends Resource> context) {
        System.out.println("after");
    }

    public static void main(String[] args) throws Exception {
        Again resource = new Again();

        Core.getGlobalContext().register(resource);
        line("up");
        if (Boolean.getBoolean("crac")) {
            Core.checkpointRestore();
            System.out.println("went on");
        } else {
            System.out.println(Warm.ready(new Warm.Options().argv(args)));
        }
        resource.hashCode(); // held until here
    }
}
