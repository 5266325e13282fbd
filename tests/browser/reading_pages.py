"""What a page looks like to those who do not see it, see it badly, or have no mouse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMED_ROLES: Final = {
    "application",
    "button",
    "checkbox",
    "combobox",
    "dialog",
    "grid",
    "image",
    "link",
    "listbox",
    "meter",
    "option",
    "progressbar",
    "radio",
    "radiogroup",
    "region",
    "searchbox",
    "slider",
    "spinbutton",
    "switch",
    "tab",
    "table",
    "textbox",
    "toolbar",
}
"""Roles that say nothing without a name (WAI-ARIA 1.2)."""

CONTRASTS: Final = """(root) => {
  const numbers = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const parse = (text) => {
    const [r, g, b, a = 1] = numbers(text);
    return text.startsWith("color(srgb") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a)];
  const luminance = (colour) => {
    const linear = (share) => share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = colour.map((one) => linear(one / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const above = [];
    for (let one = element; one; one = one.parentElement) above.unshift(parse(getComputedStyle(one).backgroundColor));
    const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
    return above.reduce((below, colour) => over(colour, below), canvas);
  };
  const found = [];
  const walker = document.createTreeWalker(document.querySelector(root), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (element.closest(":disabled, [aria-disabled=true], script, style, option")) continue;
    const box = element.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    const style = getComputedStyle(element);
    const behind = ground(element);
    const [one, other] = [luminance(over(parse(style.color), behind)), luminance(behind)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    found.push({ text: text.slice(0, 40), ratio: (one + 0.05) / (other + 0.05), needed: large ? 3 : 4.5 });
  }
  return found;
}"""

FOCUS: Final = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const style = getComputedStyle(one);
  const label = one.closest("label") ?? one.nextElementSibling ?? one;
  const around = [one, label, one.parentElement].map((part) => getComputedStyle(part));
  const visible = around.some((part) => (part.outlineStyle !== "none" && parseFloat(part.outlineWidth) >= 1)
    || part.boxShadow !== "none");
  one.dataset.reached ??= String(globalThis.hematoLabReached = (globalThis.hematoLabReached ?? 0) + 1);
  return { number: Number(one.dataset.reached), visible,
    what: `${one.tagName} ${one.getAttribute("aria-label") ?? one.textContent.slice(0, 30)}` };
}"""

REACHABLE: Final = """() => {
  const kinds = "button, select, input, textarea, a[href], summary, canvas[tabindex], [role=listbox]";
  const all = [...document.querySelectorAll(kinds)];
  const wanted = all.filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled
    && one.getAttribute("tabindex") !== "-1" && !(one.type === "radio" && !one.checked));
  return wanted.filter((one) => !one.dataset.reached)
    .map((one) => `${one.tagName} ${one.getAttribute("aria-label") ?? one.textContent.slice(0, 30)}`);
}"""


@dataclass(frozen=True)
class Spoken:
    """What a screen reader is told of one element."""

    role: str
    name: str


def spoken(page: Page) -> list[Spoken]:
    """Everything of the accessibility tree that Chromium does not ignore."""
    session = page.context.new_cdp_session(page)
    nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    kept = [one for one in nodes if not one.get("ignored")]
    return [Spoken(_value(one, "role"), _value(one, "name")) for one in kept]


def _value(node: dict[str, Any], key: str) -> str:
    return str(node.get(key, {}).get("value", "")).strip()


def nameless(page: Page) -> list[str]:
    """Roles that need a name and have none; what unfolds is a group too, and named by its summary."""
    groups = page.locator("[role=group]:not([aria-label]):not([aria-labelledby]), fieldset:not(:has(legend))").count()
    return [one.role for one in spoken(page) if one.role in NAMED_ROLES and not one.name] + ["group"] * groups


def too_faint(page: Page, root: str = "body") -> list[str]:
    """Texts below an element whose contrast is below WCAG 2.2 AA (4.5, or 3 for large type)."""
    found = page.evaluate(CONTRASTS, root)
    assert len(found) > 5
    return [f"{one['text']}: {one['ratio']:.2f}" for one in found if one["ratio"] < one["needed"]]


def walk(page: Page, *, most: int = 400) -> tuple[list[str], list[str]]:
    """Press Tab until it comes round; what got no visible focus, and what was never reached."""
    unseen, first = [], None
    page.evaluate("() => document.activeElement?.blur()")
    for _ in range(most):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUS)
        if at is None:
            if first is not None:
                break
            continue
        first = first or at["number"]
        if not at["visible"]:
            unseen.append(at["what"])
    return unseen, page.evaluate(REACHABLE)
