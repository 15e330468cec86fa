"""The REPL on a terminal, typed into and read through tmux."""

import os
import shutil
import subprocess
import tempfile
import time
import unittest

import program


class TestREPL(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="repl-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.name = "repl-" + os.path.basename(self.home)
        self.tmux("new-session", "-d", "-x", "120", "-y", "40", "-e", f"HOME={self.home}", "-e", f"XDG_STATE_HOME={self.home}",
                  program.binary() + " repl; echo left with $?; sleep 60")
        self.addCleanup(subprocess.run, ["tmux", "-L", self.name, "kill-server"], capture_output=True)
        self.wait("In [1]:")

    def tmux(self, *arguments):
        return subprocess.run(["tmux", "-L", self.name, *arguments], check=True, capture_output=True, text=True).stdout

    def screen(self):
        return self.tmux("capture-pane", "-p", "-S", "-200")

    def wait(self, text, seconds=20):
        """Waits until the screen shows the text; then the editor is given time to listen."""
        until = time.time() + seconds
        while text not in self.screen():
            if time.time() > until:
                self.fail(f"no {text!r} on the screen:\n{self.screen()}")
            time.sleep(0.1)
        time.sleep(0.2)

    def type(self, text):
        """Types a line as people do: the editor asks the terminal where the cursor
        is, and what comes before the answer could be taken for it."""
        self.tmux("send-keys", "-l", text)
        time.sleep(0.4)
        self.tmux("send-keys", "Enter")
        time.sleep(0.4)

    def enter(self, text, number):
        self.type(text)
        self.wait(f"In [{number}]:")
        return self.screen()

    def test_values_errors_and_leaving(self):
        self.enter("x := 40", 2)
        self.assertIn("Out[2]: 42", self.enter("x + 2", 3))
        self.assertIn("undefined: nosuch", self.enter("nosuch + 1", 4))
        self.assertIn("Out[4]: 40", self.enter("x", 5))
        self.tmux("send-keys", "C-d")
        self.wait("left with 0")

    def test_completion(self):
        self.enter('import "strings"', 2)
        self.tmux("send-keys", "-l", "strings.ToUpp")
        self.wait("strings.ToUpp")
        time.sleep(0.5)
        self.tmux("send-keys", "Tab")
        self.wait("strings.ToUpper")
        self.assertIn('Out[2]: ABC', self.enter('("abc")', 3))

    def test_interrupt_keeps_variables(self):
        self.enter("y := 7", 2)
        self.type("for {}")
        time.sleep(1)
        self.tmux("send-keys", "C-c")
        self.wait("In [3]:")
        self.assertIn("Out[3]: 7", self.enter("y", 4))

    def test_a_cell_that_exits_leaves_the_terminal(self):
        self.assertIn("os.Exit(3)", self.enter('import "os"; os.Exit(3)', 2))
        self.assertIn("Out[2]: 2", self.enter("1 + 1", 3))

    def test_several_lines(self):
        self.type("func f(n int) int {")
        self.type("return 2 * n")
        self.enter("}", 2)
        self.assertIn("Out[2]: 42", self.enter("f(21)", 3))


if __name__ == "__main__":
    unittest.main()
