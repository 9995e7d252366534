#!/usr/bin/env python3
"""unused.py on small sources."""
import unittest

import unused


def unused_in(header, source=""):
    return sorted(unused.find_unused({"a.h": unused.strip(header), "a.cc": unused.strip(source)}))


class Unused(unittest.TestCase):
    def test_what_nobody_calls_is_found(self):
        self.assertEqual(unused_in("int Used(int x);\nstd::vector<int> Idle(int x);\nconst T& Reference();",
                                   "int Used(int x) { return x; }\nstd::vector<int> Idle(int x) { return {x}; }\n"
                                   "const T& A::Reference() {}\nint y = Used(3);"), ["Idle", "Reference"])

    def test_calls_of_every_form_count(self):
        for use in ("x = Go(1);", "return Go(1);", "p->Go(1);", "p.Go(1);", "if (!Go(1)) f();", "g(&Go);", "lvrpo::Go(1);",
                    "Go(1);", "y = b && Go(1);", "y = b * Go(1);", "Map(list, Go);"):
            self.assertEqual(unused_in("int Go(int x);", "int Go(int x) { return x; }\nvoid f() { " + use + " }"), [], use)

    def test_words_in_comments_and_texts_do_not_count(self):
        self.assertEqual(unused_in("// Go(1)\nint Go(int x);", 'f("Go(1)"); /* Go(1) */'), ["Go"])

    def test_members_are_found_and_macros_are_not(self):
        self.assertEqual(unused_in("class B {\n int idle() const { return x_; }\n"
                                   " int x_ ABSL_GUARDED_BY(mutex_) = 0;\n};"), ["idle"])


if __name__ == "__main__":
    unittest.main()
