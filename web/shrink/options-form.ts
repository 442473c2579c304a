/** How the net is made small. */
import { html } from "../dom.js";
import { RANGES, type ShrinkOptions } from "./protocol.js";

const RANGE_WORDS: Readonly<Record<ShrinkOptions["range"], string>> = {
  all: "all that samples reach",
  percentile: "all but the rarest 0.01 %",
  "least error": "what int8 errs least on",
};

/** @param onChange called with all choices when one has changed */
export function optionsForm(options: ShrinkOptions, onChange: (options: ShrinkOptions) => void): HTMLElement {
  const bits = html(
    "select",
    { id: "bits" },
    html("option", { value: "" }, "int8, as it is"),
    ...[6, 5, 4, 3, 2].map((n) => html("option", { value: n }, `${2 ** n} values, ${n} bits`)),
  );
  const range = html(
    "select",
    { id: "range" },
    ...RANGES.map((name) => html("option", { value: name }, RANGE_WORDS[name])),
  );
  const shapes = html("input", {
    id: "shapes",
    type: "text",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "image=1,3,224,224",
    "aria-describedby": "shapes-help",
  });
  range.value = options.range;
  const change = (): void =>
    onChange({
      bits: bits.value === "" ? undefined : Number(bits.value),
      range: range.value as ShrinkOptions["range"],
      shapes: shapes.value,
    });
  for (const input of [bits, range, shapes]) input.addEventListener("change", change);
  const field = (name: string, input: HTMLElement, help: string): HTMLElement =>
    html(
      "div",
      { class: "field" },
      html("label", { for: input.id }, name),
      input,
      html("p", { class: "muted small", id: `${input.id}-help` }, help),
    );
  return html(
    "section",
    { class: "panel options", "aria-label": "How" },
    field(
      "Values of a layer's weights",
      bits,
      "Fewer make it smaller and coarser; each layer gets those with the least squared error.",
    ),
    html(
      "details",
      {},
      html("summary", {}, "More"),
      field("Ranges of tensors", range, "Of a net of real numbers, by samples."),
      field(
        "Sizes that the net leaves open",
        shapes,
        "As --shape of the command line; an open number of samples is taken as 1.",
      ),
    ),
  );
}
