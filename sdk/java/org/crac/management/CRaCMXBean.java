// SPDX-License-Identifier: MIT
package org.crac.management;

import java.lang.management.PlatformManagedObject;
import org.crac.CheckpointException;
import org.crac.RestoreException;

/** The same service as {@link org.crac.Core}, for management, and when this copy was made. */
public interface CRaCMXBean extends PlatformManagedObject {
    /** Milliseconds since this copy went on; -1 in the original. */
    long getUptimeSinceRestore();

    /** When this copy went on, in milliseconds since 1970; -1 in the original. */
    long getRestoreTime();

    /** Whether {@link #checkpointRestore} is supported. */
    boolean isImplemented();

    /** As {@link org.crac.Core#checkpointRestore}. */
    void checkpointRestore() throws CheckpointException, RestoreException;

    static CRaCMXBean getCRaCMXBean() {
        return new Management();
    }
}
