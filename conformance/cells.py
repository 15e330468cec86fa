"""The Go cells that the suites run."""

HELLO = 'import "fmt"\nfmt.Println("hello, world")'
STDERR = 'import (\n\t"fmt"\n\t"os"\n)\nfmt.Fprintln(os.Stderr, "oops")'
ERROR = 'panic("no good")'
DISPLAY = 'import "trafficgpt/display"\n'
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
PANEL = (
    'import "fmt"\nimport "strings"\nimport "trafficgpt/lib/widgets"\n'
    'k := widgets.Slider("top-k", 0, 50, 10)\n'
    't := widgets.FloatSlider("temperature", 0, 2, 0.1, 1)\n'
    'proto := widgets.Dropdown("protocol", "dns", "http", "tls")\n'
    'greedy := widgets.Checkbox("greedy", false)\n'
    'name := widgets.Text("name", "run")\n'
    'start := widgets.Button("sample")\n'
    'bar := widgets.Progress("done", 10)\n'
    'words := widgets.HTML("<b>nothing yet</b>")\n'
    'out := widgets.Output()\n'
    'show := func() { words.Set(fmt.Sprintf("<b>k=%d t=%.1f %s greedy=%v %s</b>", k.Int(), t.Float(), proto.Text(), greedy.Ticked(), name.Text())) }\n'
    'k.OnChange(func(v int) { fmt.Println("k is", v); show() })\n'
    't.OnChange(func(float64) { show() })\n'
    'proto.OnChange(func(string) { show() })\n'
    'greedy.OnChange(func(bool) { show() })\n'
    'name.OnChange(func(string) { show() })\n'
    'start.OnClick(func() {\n\tout.Clear()\n\tout.Capture(func() { fmt.Println(strings.Repeat("=", k.Int())) })\n'
    '\tfor i := range 10 {\n\t\tbar.Set(i + 1)\n\t}\n})\n'
    'widgets.Column(widgets.Row(k, t), widgets.Row(proto, greedy), widgets.Row(name, start), bar, words, out)'
)
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
