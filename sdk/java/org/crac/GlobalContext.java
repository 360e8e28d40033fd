// SPDX-License-Identifier: MIT
package org.crac;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * The context of the process. It holds its resources weakly: what nobody else holds is not notified any more. Before a
 * snapshot the latest registered comes first, afterwards the first; each is told of both whatever the others throw.
 */
final class GlobalContext extends Context<Resource> {
    static final GlobalContext INSTANCE = new GlobalContext();

    private final List<WeakReference<Resource>> registered = new ArrayList<>();
    /** Those that were told of a snapshot, in the order of registration: they are held until they are told of its end. */
    private List<Resource> notified = List.of();

    @Override
    public void register(Resource resource) {
        Objects.requireNonNull(resource);
        synchronized (registered) {
            registered.removeIf(reference -> reference.get() == null);
            registered.add(new WeakReference<>(resource));
        }
    }

    @Override
    public void beforeCheckpoint(Context<? extends Resource> context) throws CheckpointException {
        CheckpointException failure = new CheckpointException();

        notified = living();
        for (int i = notified.size() - 1; i >= 0; i--) {
            try {
                notified.get(i).beforeCheckpoint(this);
            } catch (Throwable thrown) {
                gather(failure, thrown);
            }
        }
        if (failure.getSuppressed().length > 0) {
            throw failure;
        }
    }

    @Override
    public void afterRestore(Context<? extends Resource> context) throws RestoreException {
        RestoreException failure = new RestoreException();
        List<Resource> resources = notified;

        notified = List.of();
        for (Resource resource : resources) {
            try {
                resource.afterRestore(this);
            } catch (Throwable thrown) {
                gather(failure, thrown);
            }
        }
        if (failure.getSuppressed().length > 0) {
            throw failure;
        }
    }

    private List<Resource> living() {
        List<Resource> living = new ArrayList<>();

        synchronized (registered) {
            for (WeakReference<Resource> reference : registered) {
                Resource resource = reference.get();
                if (resource != null) {
                    living.add(resource);
                }
            }
        }
        return living;
    }

    /** What a context below us has gathered is ours: the requester sees the resources' own exceptions. */
    private static void gather(Throwable failure, Throwable thrown) {
        boolean gathered = thrown instanceof CheckpointException || thrown instanceof RestoreException;
        Throwable[] own = gathered ? thrown.getSuppressed() : new Throwable[0];

        if (thrown instanceof InterruptedException) {
            Thread.currentThread().interrupt();
        }
        for (Throwable each : own) {
            failure.addSuppressed(each);
        }
        if (own.length == 0) {
            failure.addSuppressed(thrown);
        }
    }
}
