// Colours: the scale of heat maps, and what is readable on what.

// cividis, as matplotlib has it: perceptually even and the same for colour-blind eyes
// (Nunez, Anderton & Renslow, PLoS One 13 (2018) e0199239); 256 times red, green, blue.
const CIVIDIS = [
  "00224d00234f00235000245200255400265500265700275900285b00285c00295e002a60002a62002b64002c66002c67",
  "002d69002e6b002f6d002f6f0030700030700031700031700432700833700b33700e347011356f14366f16366f18376f",
  "1a386f1c386e1d396e1f3a6e213b6e223b6e243c6e253d6d273d6d283e6d2a3f6d2b3f6d2c406d2e416c2f426c30426c",
  "31436c32446c34446c35456c36466c37466c38476c39486c3a486b3b496b3d4a6b3e4b6b3f4b6b404c6b414d6b424d6b",
  "434e6b444f6b454f6b46506b47516b48516b49526b4a536b4b546c4c546c4d556c4e566c4e566c4f576c50586c51586c",
  "52596c535a6c545a6c555b6d565c6d575d6d585d6d595e6d595f6d5a5f6d5b606e5c616e5d616e5e626e5f636e60646e",
  "61646f61656f62666f63666f64676f656870666970676970686a70686b71696b716a6c716b6d716c6d726d6e726e6f72",
  "6e70736f70737071737172737273747373747474757475757575757676767777767878767978777979777a7a777b7b77",
  "7c7b787d7c787e7d787f7d78807e78817f788280788380788481788582788583788683788784788885788986788a8678",
  "8b87788c88788d89788e89788f8a77908b77918c77928c77938d77948e77958f77968f779790769891769992769a9376",
  "9b93769c94769d95759e96759f9675a09775a19874a29974a39a74a49a74a59b73a69c73a79d73a89e73a99e72aa9f72",
  "aba072aca171ada271aea271afa370b0a470b1a570b2a66fb3a66fb4a76fb5a86eb6a96eb7aa6db8ab6db9ab6dbaac6c",
  "bbad6cbcae6bbdaf6bbeb06abfb06ac1b169c2b269c3b368c4b468c5b567c6b567c7b666c8b765c9b865cab964cbba64",
  "ccbb63cdbc62cebc62cfbd61d0be60d2bf60d3c05fd4c15ed5c25ed6c35dd7c35cd8c45bd9c55adac65adbc759dcc858",
  "dec957dfca56e0cb55e1cc54e2cc53e3cd52e4ce51e5cf50e6d04fe8d14ee9d24dead34cebd44becd54aedd648eed747",
  "efd846f1d944f2da43f3da42f4db40f5dc3ff6dd3df8de3bf9df3afae038fbe136fde234fde333fde534fde636fde737",
].join("");

/** Return the 256 colours of the heat scale as bytes: red, green, blue each. */
export const HEAT_COLOURS = Uint8Array.from(CIVIDIS.match(/../g), (byte) => parseInt(byte, 16));

/** Return a step of the heat scale (0 to 255) as a CSS colour. */
export function heatColour(step) {
  return `rgb(${HEAT_COLOURS[3 * step]} ${HEAT_COLOURS[3 * step + 1]} ${HEAT_COLOURS[3 * step + 2]})`;
}

/** Return the heat scale as a CSS gradient from left to right. */
export function heatGradient() {
  const stops = Array.from({ length: 17 }, (_, at) => heatColour(Math.min(255, at * 16)));
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

/** Return red, green and blue (0 to 255) of "#RRGGBB"; grey for anything else. */
export function channelsOf(colour) {
  const found = /^#([0-9a-f]{6})$/i.exec(colour);
  if (!found) return [128, 128, 128];
  return [0, 2, 4].map((at) => parseInt(found[1].slice(at, at + 2), 16));
}

/** Return the relative luminance of a colour (WCAG 2), 0 to 1. */
export function luminanceOf(colour) {
  const [red, green, blue] = channelsOf(colour).map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Return the ink, black or white, that is readable on a colour. */
export function inkOn(colour) {
  return luminanceOf(colour) > 0.18 ? "#000000" : "#ffffff";
}
