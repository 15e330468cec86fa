"""The Go cells that the suites run."""

HELLO = 'import "fmt"\nfmt.Println("hello, world")'
STDERR = 'import (\n\t"fmt"\n\t"os"\n)\nfmt.Fprintln(os.Stderr, "oops")'
ERROR = 'panic("no good")'
DISPLAY = 'import "trafficgpt/lib/display"\n'
SHOW = DISPLAY + 'display.ShowMarkdown("**bold**")'
ERASE = DISPLAY + "display.Erase(true)"
SVG = DISPLAY + (
    'display.ShowSVG(`<svg xmlns="http://www.w3.org/2000/svg" width="200" height="80">'
    '<rect width="200" height="80" fill="#0d2f4f"/><circle cx="100" cy="40" r="30" fill="#ffd166"/></svg>`)'
)
FIGURE = (
    'import "trafficgpt/lib/plots"\n'
    'plots.Curves("squares", "x", "y", plots.Series{Name: "x²", X: []float64{0, 1, 2, 3}, Y: []float64{0, 1, 4, 9}})'
)
PROGRESS = DISPLAY + (
    'import "time"\n'
    'bar := display.Progress("working", 40)\n'
    "for range 40 {\n\ttime.Sleep(50 * time.Millisecond)\n\tbar.Add(1)\n}\nbar.Done()"
)
INPUT = DISPLAY + 'answer := must(display.Input("your name? "))\n"hello " + answer'
FOREVER = "for {\n}"
LINES = 'import "fmt"\nfor i := range 100000 {\n\tfmt.Println("line", i)\n}'


def notebook(*sources):
    """A notebook of our kernel; a source that begins with # is Markdown."""
    import nbformat

    book = nbformat.v4.new_notebook(metadata={
        "kernelspec": {"name": "trafficgpt", "display_name": "TrafficGPT (Go)", "language": "go"}})
    for source in sources:
        new = nbformat.v4.new_markdown_cell if source.startswith("#") else nbformat.v4.new_code_cell
        book.cells.append(new(source))
    return book
