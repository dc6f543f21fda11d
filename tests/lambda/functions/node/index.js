// The function of both Node runtimes; see bootstrap.py for what it is to do.
class ValueError extends Error {
  name = "ValueError";
}

if (process.env.FAIL_INIT) throw new ValueError("asked to fail");

exports.handler = async (event) => {
  if (event.do === "fail") throw new ValueError("asked to fail");
  if (event.do === "crash") process.exit(3);
  return { runtime: "node", event, filler: (process.env.FILLER || "").length };
};
