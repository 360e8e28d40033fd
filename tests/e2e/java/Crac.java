// SPDX-License-Identifier: MIT
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.crac.CheckpointException;
import org.crac.Context;
import org.crac.Core;
import org.crac.Resource;
import org.crac.RestoreException;
import org.crac.management.CRaCMXBean;

/** What org.crac promises: contexts within contexts, resources that nobody else holds, the bean. Says what it finds, NAME=VALUE. */
public class Crac {
    static final List<String> CALLS = Collections.synchronizedList(new ArrayList<>());
    static boolean failing;

    /** Told by the context that it was registered with, and by no other. */
    record Told(String name, Context<Resource> by) implements Resource {
        @Override
        public void beforeCheckpoint(Context<? extends Resource> context) {
            CALLS.add("before " + name + (context == by ? "" : ", by a stranger"));
        }

        @Override
        public void afterRestore(Context<? extends Resource> context) {
            CALLS.add("after " + name + (context == by ? "" : ", by a stranger"));
            if (failing && !name.equals("last")) {
                throw new IllegalStateException(name);
            }
        }
    }

    /** A resource that is a context. */
    static class Nested extends Context<Resource> {
        private final List<Resource> own = new ArrayList<>();

        @Override
        public void register(Resource resource) {
            own.add(resource);
        }

        @Override
        public void beforeCheckpoint(Context<? extends Resource> context) throws CheckpointException {
            for (int i = own.size() - 1; i >= 0; i--) {
                try {
                    own.get(i).beforeCheckpoint(this);
                } catch (Exception failure) {
                    throw new CheckpointException(failure.toString());
                }
            }
        }

        @Override
        public void afterRestore(Context<? extends Resource> context) throws RestoreException {
            RestoreException failure = new RestoreException();
            for (Resource resource : own) {
                try {
                    resource.afterRestore(this);
                } catch (Exception thrown) {
                    failure.addSuppressed(thrown);
                }
            }
            if (failure.getSuppressed().length > 0) {
                throw failure;
            }
        }
    }

    static WeakReference<Resource> lose(Context<Resource> context) {
        Resource lost = new Told("lost", context);
        context.register(lost);
        return new WeakReference<>(lost);
    }

    interface Asks {
        void run() throws CheckpointException, RestoreException;
    }

    static String ask(Asks how) {
        try {
            how.run();
            return "went on";
        } catch (CheckpointException calledOff) {
            return "called off: " + calledOff.getMessage();
        } catch (RestoreException failed) {
            return "failed: " + List.of(failed.getSuppressed());
        } catch (UnsupportedOperationException missing) {
            return "unsupported: " + missing.getMessage();
        }
    }

    static String registered(Context<Resource> context, Resource resource) {
        try {
            context.register(resource);
            return "yes";
        } catch (NullPointerException refused) {
            return "no";
        }
    }

    public static void main(String[] args) throws Exception {
        failing = args[0].equals("fails");
        Context<Resource> global = Core.getGlobalContext();
        Nested nested = new Nested();
        Resource first = new Told("first", global);
        Resource last = new Told("last", global);

        global.register(first);
        global.register(nested);
        nested.register(new Told("inner one", nested));
        nested.register(new Told("inner two", nested));
        global.register(last);
        WeakReference<Resource> lost = lose(global);
        for (int i = 0; i < 20 && lost.get() != null; i++) {
            System.gc();
        }
        CRaCMXBean bean = CRaCMXBean.getCRaCMXBean();
        String fresh = bean.getObjectName() + " " + bean.getUptimeSinceRestore() + " " + bean.getRestoreTime();
        System.out.println("outcome=" + ask(bean::checkpointRestore));
        System.out.println("same=" + (global == Context.getGlobalContext()));
        System.out.println("null=" + registered(global, null));
        System.out.println("implemented=" + Context.isImplemented() + " " + bean.isImplemented());
        System.out.println("bean=" + fresh);
        System.out.println("calls=" + String.join(", ", CALLS));
        CALLS.clear();
        System.out.println("again=" + ask(Core::checkpointRestore) + " " + CALLS);
        System.out.println("restored=" + bean.getRestoreTime());
        System.out.println("uptime=" + bean.getUptimeSinceRestore());
        System.out.println("held=" + first + last + nested.own.size());
    }
}
