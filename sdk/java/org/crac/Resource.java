// SPDX-License-Identifier: MIT
package org.crac;

/**
 * Something that wants to know when the program is frozen and when it goes on: it closes what a snapshot cannot hold
 * and opens it again.
 */
public interface Resource {
    /**
     * Called before the snapshot is taken. An exception calls the snapshot off.
     *
     * @param context the context that notifies
     */
    void beforeCheckpoint(Context<? extends Resource> context) throws Exception;

    /**
     * Called when the program goes on: in each copy, and in the original, too, which runs on after its snapshot.
     *
     * @param context the context that notifies
     */
    void afterRestore(Context<? extends Resource> context) throws Exception;
}
