// SPDX-License-Identifier: MIT

/** Its initialisation fails. */
public class NoInit {
    static final int VALUE = Integer.parseInt("none");

    public static void main(String[] args) {
        System.out.println(VALUE);
    }
}
