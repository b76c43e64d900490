// Answers cases with AWS's decision as @cloud-copilot/iam-simulate sees it: `node oracle.mjs FOLDER < cases > answers`,
// where FOLDER/node_modules has the package. A case is one line of JSON as crates/aws/tests/policy_oracle/ writes it; its
// answer is one line: Allowed, ImplicitlyDenied, ExplicitlyDenied, or "Error: ..." where the package gave up.
//
// The package's front door drops condition keys that AWS does not list for an action, so its engine is asked directly;
// the lock file holds the version that has these modules.
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const packages = pathToFileURL(`${process.argv[2]}/node_modules/@cloud-copilot/`)
const load = (path) => import(new URL(path, packages))

const { loadPolicy } = await load('iam-policy/dist/esm/index.js')
const { anonymousPrincipal } = await load('iam-simulate/dist/esm/index.js')
const { authorize } = await load('iam-simulate/dist/esm/core_engine/CoreSimulatorEngine.js')
const { AwsRequestImpl } = await load('iam-simulate/dist/esm/request/request.js')
const { RequestContextImpl } = await load('iam-simulate/dist/esm/requestContext.js')
const { DiscoveryContextKeyConstraints } = await load(
  'iam-simulate/dist/esm/context_keys/discoveryContextKeyConstraints.js',
)

const named = (name, policy) => (policy ? loadPolicy(policy, { name }) : undefined)

function answer(line) {
  const { principal, action, resource, account, context, ...policies } = JSON.parse(line)
  const boundary = named('boundary', policies.boundary)
  const endpoint = named('endpoint', policies.endpoint)
  const analysis = authorize({
    request: new AwsRequestImpl(
      principal ?? anonymousPrincipal,
      { resource, accountId: account },
      action,
      new RequestContextImpl(context),
    ),
    identityPolicies: policies.identity.map((policy, index) => named(`identity-${index}`, policy)),
    sessionPolicy: named('session', policies.session),
    resourcePolicy: named('resource', policies.resourcePolicy),
    permissionBoundaries: boundary && [boundary],
    vpcEndpointPolicies: endpoint && [endpoint],
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    simulationParameters: {
      simulationMode: 'Strict',
      discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]),
    },
    serviceSettings: {},
  })
  return analysis.result
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(answer(line))
  } catch (error) {
    console.log(`Error: ${String(error.stack).replaceAll('\n', ' ')}`)
  }
}
