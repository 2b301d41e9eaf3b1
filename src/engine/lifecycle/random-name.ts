const qualities =
  "able agile amber amused ample apt astute avid aware balmy bold brave breezy bright brisk calm candid careful chatty cheerful civil clever cosy crisp curious daring deft eager early earnest easy elated fair festive fine frank fresh frugal gentle glad golden graceful handy happy hardy honest hopeful humble jolly keen kind lively loyal lucid merry mighty mild modest neat nimble noble patient placid plucky polite proud quick quiet rapid ready serene sharp sincere sleepy smart snug sober solid spry steady stoic sunny swift tender thrifty tidy upbeat vivid warm wary wise witty zesty".split(
    " ",
  );
const people =
  "archimedes avicenna babbage bardeen bell benz berners bohr boole bose brahmagupta cantor cerf chandra clarke copernicus curie darwin davinci diffie dijkstra diophantus edison einstein engelbart erdos euclid euler faraday fermat fermi feynman franklin galileo gauss germain goodall hamilton hawking heisenberg hellman hodgkin hoover hopper hypatia jackson joliot kapitsa kepler knuth kowalevski lamarr lamport leakey leibniz lichterman liskov lovelace lumiere mayer mcclintock mendel mendeleev mirzakhani moore morse napier newton nobel noether pare pascal pasteur payne perlman pike planck poincare ptolemy raman ramanujan ride ritchie rubin saha shannon shockley sinoussi snyder stallman stonebraker swartz tesla thompson torvalds turing villani volta wescoff wiles wing wozniak wright yalow yonath".split(
    " ",
  );

/** A name for a container that got none: a quality and a person of science, as Docker's. */
export function randomName(): string {
  // Not taken apart by the iterator of typed arrays, which is compiled at its first use: 0.2 ms.
  const random = crypto.getRandomValues(new Uint32Array(2));
  return `${qualities[(random[0] ?? 0) % qualities.length]}_${people[(random[1] ?? 0) % people.length]}`;
}
