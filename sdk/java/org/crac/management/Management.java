// SPDX-License-Identifier: MIT
package org.crac.management;

import javax.management.MalformedObjectNameException;
import javax.management.ObjectName;
import org.crac.CheckpointException;
import org.crac.Context;
import org.crac.Core;
import org.crac.RestoreException;
import warm.Hook;

final class Management implements CRaCMXBean {
    @Override
    public long getUptimeSinceRestore() {
        long time = getRestoreTime();

        return time < 0 ? -1 : System.currentTimeMillis() - time;
    }

    @Override
    public long getRestoreTime() {
        return Hook.restoreTime();
    }

    @Override
    public boolean isImplemented() {
        return Context.isImplemented();
    }

    @Override
    public void checkpointRestore() throws CheckpointException, RestoreException {
        Core.checkpointRestore();
    }

    @Override
    public ObjectName getObjectName() {
        try {
            return new ObjectName("org.crac.management:type=CRaC");
        } catch (MalformedObjectNameException impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
