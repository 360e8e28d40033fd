#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the end-to-end tests: all, or those named as test_file[.Class[.test]]. Prints failures and the total.

    run.py [--in FOLDER] [NAME...]      FOLDER: tests of another kind that are written in the same way; of these none may
                                        be skipped
"""
import os
import signal
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
TEST_LIMIT = 120  # seconds, where the test has no other `limit`; one that hangs fails, and the rest are run


def too_long(*_):
    raise TimeoutError("the test took longer than it may")


class Result(unittest.TextTestResult):
    whole = False   # what is skipped has failed

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        signal.alarm(getattr(test, "limit", TEST_LIMIT))

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)

    def say(self, verdict, test, more=""):
        print(f"{verdict} {test.id():60} {time.monotonic() - self.began:5.2f} s {more}".rstrip(), flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.say("ok  ", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say("FAIL", test, f"\n{self.failures[-1][1]}")

    def addError(self, test, err):
        super().addError(test, err)
        if not hasattr(test, "_testMethodName"):
            self.began = time.monotonic()
        self.say("FAIL", test, f"\n{self.errors[-1][1]}")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            kept = self.failures if issubclass(err[0], test.failureException) else self.errors
            self.say("FAIL", subtest, f"\n{kept[-1][1]}")

    def addSkip(self, test, reason):
        if self.whole:
            self.failures.append((test, reason))
            self.say("FAIL", test, "skipped: " + reason)
            return
        super().addSkip(test, reason)
        self.say("SKIP", test, reason)


def main():
    from harness import end_politely
    end_politely()
    signal.signal(signal.SIGALRM, too_long)
    loader = unittest.defaultTestLoader
    names, folder = sys.argv[1:], HERE
    if names[:1] == ["--in"]:
        folder, names = os.path.abspath(names[1]), names[2:]
        sys.path.insert(0, folder)
        Result.whole = True
    suite = loader.loadTestsFromNames(names) if names else loader.discover(folder, "test_*.py", top_level_dir=folder)
    result = unittest.TextTestRunner(stream=open(os.devnull, "w", encoding="utf-8"), resultclass=Result).run(suite)
    # A test of which two parts have failed, or that has failed and could not clean up, is one.
    failed = {getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors}
    in_tests = {getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors
                if hasattr(getattr(test, "test_case", test), "_testMethodName")}
    passed = result.testsRun - len(in_tests) - len(result.skipped)
    print(f"{passed} passed, {len(failed)} failed, {len(result.skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
