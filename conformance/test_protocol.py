"""jupyter_kernel_test with every test enabled, on TCP and on IPC."""

import unittest

import jupyter_kernel_test
from jupyter_client.manager import KernelManager

import cells


class Samples:
    kernel_name = "trafficgpt"
    language_name = "go"
    file_extension = ".go"
    code_hello_world = cells.HELLO
    code_stderr = cells.STDERR
    completion_samples = [
        {"text": "strings.HasPre", "matches": {"HasPrefix"}},
        {"text": "nothingislikethis", "matches": set()},
    ]
    complete_code_samples = ["1", "x := 1", "func f() int { return 1 }", 'import "fmt"\nfmt.Println("é")', "for i := range 3 {\n}\n"]
    incomplete_code_samples = ["func f() {", "for i := range 3 {", "x := []int{1,", "fmt.Println(", "s := `abc"]
    invalid_code_samples = ["func )", "x := )", "}"]
    code_page_something = "?fmt.Println"
    code_generate_error = cells.ERROR
    code_execute_result = [
        {"code": "1 + 2", "result": "3"},
        {"code": "6 * 7", "result": "42"},
        {"code": "6 * 7", "result": "42"},
        {"code": "6 * 7", "result": "42"},
    ]
    code_display_data = [
        {"code": cells.SHOW, "mime": "text/markdown"},
        {"code": cells.SHOW, "mime": "text/plain"},
        {"code": cells.SVG, "mime": "image/svg+xml"},
    ]
    code_history_pattern = "6 [*] ?*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "fmt.Println"
    code_clear_output = cells.ERASE


class TestTCP(Samples, jupyter_kernel_test.KernelTests):
    pass


class TestIPC(Samples, jupyter_kernel_test.KernelTests):
    @classmethod
    def setUpClass(cls):
        cls.km = KernelManager(kernel_name=cls.kernel_name, transport="ipc")
        cls.km.start_kernel()
        cls.kc = cls.km.client()
        cls.kc.start_channels()
        cls.kc.wait_for_ready(timeout=60)


class TestWelcomeTCP(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "trafficgpt"
    support_iopub_welcome = True


class TestWelcomeIPC(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "trafficgpt"
    support_iopub_welcome = True

    @classmethod
    def setUpClass(cls):
        cls.km = KernelManager(kernel_name=cls.kernel_name, transport="ipc")
        cls.km.start_kernel()
        cls.kc = cls.km.client()


if __name__ == "__main__":
    unittest.main()
