//! Deployments that name what somebody else has made: it is used, and left as it was.

use super::cloud::Lab;
use super::deploy_fleet::{Fleet, page, recipes};
use super::project::Project;
use kiln::{Deployment, Image, health, load_balancer, strategy, target};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);

/// Made by hand, before there is any deployment: by name, its id or ARN.
struct Theirs(Value);

impl Theirs {
    /// A network's subnets, two security groups, a role's profile, a certificate, and a load balancer that forwards to
    /// a target group.
    fn make(lab: &Lab) -> Self {
        Self(
            lab.boto(&format!(
                "(lambda scope: (exec({MADE:?}, scope), scope['made'])[1])(globals())"
            )),
        )
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    fn subnets(&self) -> Vec<String> {
        serde_json::from_value(self.0["subnets"].clone()).unwrap()
    }

    /// What AWS says of all of it.
    fn look(&self, lab: &Lab) -> Value {
        lab.boto(&format!(
            "(lambda scope: (exec({SEEN:?}, scope), scope['seen'])[1])(dict(globals(), made={}))",
            self.0
        ))
    }
}

/// Python: what an administrator does once.
const MADE: &str = r#"
import subprocess, tempfile
elb, iam, acm = (boto3.client(service) for service in ('elbv2', 'iam', 'acm'))
found = ec2.describe_subnets()['Subnets'][:2]
made = {'subnets': [s['SubnetId'] for s in found]}
vpc = found[0]['VpcId']
for name in ('front', 'servers'):
    made[name] = ec2.create_security_group(GroupName=name, Description='theirs', VpcId=vpc)['GroupId']
def let_in(group, port, **source):
    rule = {'IpProtocol': 'tcp', 'FromPort': port, 'ToPort': port, **source}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
let_in(made['front'], 80, IpRanges=[{'CidrIp': '0.0.0.0/0'}])
let_in(made['servers'], 8080, UserIdGroupPairs=[{'GroupId': made['front']}])
iam.create_role(RoleName='servers', AssumeRolePolicyDocument='{}')
made['profile'] = iam.create_instance_profile(InstanceProfileName='servers')['InstanceProfile']['Arn']
iam.add_role_to_instance_profile(InstanceProfileName='servers', RoleName='servers')
with tempfile.TemporaryDirectory() as folder:
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=site.example', '-days', '2',
                    '-keyout', folder + '/key', '-out', folder + '/cert'], check=True, capture_output=True)
    read = lambda name: open(folder + '/' + name, 'rb').read()
    made['certificate'] = acm.import_certificate(Certificate=read('cert'), PrivateKey=read('key'))['CertificateArn']
front = elb.create_load_balancer(Name='theirs', Subnets=made['subnets'], SecurityGroups=[made['front']])['LoadBalancers'][0]
made['balancer'], made['address'] = front['LoadBalancerArn'], front['DNSName']
made['target_group'] = elb.create_target_group(
    Name='theirs', Protocol='HTTP', Port=8080, VpcId=vpc, HealthCheckPath='/', HealthCheckIntervalSeconds=5,
    HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2, UnhealthyThresholdCount=2,
    Tags=[{'Key': 'owner', 'Value': 'somebody'}])['TargetGroups'][0]['TargetGroupArn']
elb.modify_target_group_attributes(
    TargetGroupArn=made['target_group'], Attributes=[{'Key': 'deregistration_delay.timeout_seconds', 'Value': '2'}])
made['listener'] = elb.create_listener(
    LoadBalancerArn=made['balancer'], Protocol='HTTP', Port=80,
    DefaultActions=[{'Type': 'forward', 'TargetGroupArn': made['target_group']}])['Listeners'][0]['ListenerArn']
"#;

/// Python: all that is to be there afterwards as it was before.
const SEEN: &str = r#"
elb, iam, acm = (boto3.client(service) for service in ('elbv2', 'iam', 'acm'))
group, balancer = made['target_group'], made['balancer']
seen = [
    ec2.describe_subnets(SubnetIds=made['subnets'])['Subnets'] and sorted(made['subnets']),
    [{k: g[k] for k in ('GroupId', 'IpPermissions', 'IpPermissionsEgress')} | {'Tags': g.get('Tags', [])}
     for g in ec2.describe_security_groups(GroupIds=[made['front'], made['servers']])['SecurityGroups']],
    [r['RoleName'] for r in iam.get_instance_profile(InstanceProfileName='servers')['InstanceProfile']['Roles']],
    acm.describe_certificate(CertificateArn=made['certificate'])['Certificate']['DomainName'],
    elb.describe_target_groups(TargetGroupArns=[group])['TargetGroups'],
    elb.describe_target_group_attributes(TargetGroupArn=group)['Attributes'],
    [t for t in elb.describe_target_health(TargetGroupArn=group)['TargetHealthDescriptions']
     if t['TargetHealth']['State'] != 'draining'],
    elb.describe_tags(ResourceArns=[group, balancer])['TagDescriptions'],
    elb.describe_listeners(LoadBalancerArn=balancer)['Listeners'],
    [(b['SecurityGroups'], b['State']['Code']) for b in elb.describe_load_balancers(LoadBalancerArns=[balancer])['LoadBalancers']],
]
"#;

/// Servers that say what they are called when they are asked.
fn servers(name: &str, image: Image, theirs: &Theirs) -> Deployment {
    let script = format!("#!/bin/sh\nprintf %s '{name}' >/srv/told && mv /srv/told /srv/version\n");
    let target =
        target::ec2().instance_type("t3.micro").subnets(theirs.subnets()).user_data(script);
    Deployment::new(name)
        .image(image)
        .target(target.instance_profile("servers"))
        .replicas(2)
        .ports([8080])
        .health(health::http().path("/").interval("5s").timeout("2s").within("60s"))
        .strategy(strategy::red_black())
}

/// What `curl` is answered, as soon as it is.
fn ask(url: &str) -> String {
    let begun = Instant::now();
    loop {
        let curl = ["--silent", "--show-error", "--fail", "--insecure", "--max-time", "5", url];
        let said = Command::new("curl").args(curl).output().unwrap();
        if said.status.success() {
            return String::from_utf8(said.stdout).unwrap();
        }
        let why = String::from_utf8_lossy(&said.stderr);
        assert!(begun.elapsed() < SOON, "{url}: {why}");
    }
}

#[test]
fn what_is_named_is_used_and_stays_as_it_was() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let theirs = Theirs::make(&lab);
    let before = theirs.look(&lab);
    let image = || page(&project);
    let guest = |version: &str| {
        let script =
            format!("#!/bin/sh\nprintf %s '{version}' >/srv/told && mv /srv/told /srv/version\n");
        let target = target::ec2().instance_type("t3.micro").subnets(theirs.subnets());
        let target = target.instance_profile(theirs.text("profile")).user_data(script);
        servers("guest", image(), &theirs)
            .target(target.security_groups([theirs.text("servers")]))
            .load_balancer(load_balancer::target_group().arn(theirs.text("target_group")))
    };
    let secret = || {
        let balancer = load_balancer::application().certificate(theirs.text("certificate"));
        let balancer = balancer.internal(true).subnets(theirs.subnets()).drain("2s");
        servers("secret", image(), &theirs).load_balancer(balancer.from(["172.16.0.0/12"]))
    };
    let both = |version: &str| recipes([guest(version), secret()]);
    fleet.on(&both("one"), &["update", "page"]).done();
    fleet.on(&both("one"), &["deploy", "--yes"]).done();

    let url = format!("http://{}/", theirs.text("address"));
    assert_eq!(ask(&url), "one");
    let made = lab.boto(
        "[[b['Scheme'], b['DNSName'], sorted(z['SubnetId'] for z in b['AvailabilityZones']), \
          [[l['Protocol'], l['Port'], l['Certificates'][0]['CertificateArn']] for l in \
           boto3.client('elbv2').describe_listeners(LoadBalancerArn=b['LoadBalancerArn'])['Listeners']]] \
          for b in boto3.client('elbv2').describe_load_balancers()['LoadBalancers'] if b['LoadBalancerName'] != 'theirs']",
    );
    let address = made[0][1].as_str().unwrap_or_else(|| panic!("{made}"));
    assert_eq!(ask(&format!("https://{address}/")), "secret");
    let mut subnets = theirs.subnets();
    subnets.sort();
    let listener = json!([["HTTPS", 443, theirs.text("certificate")]]);
    assert_eq!(made, json!([["internal", address, subnets, listener]]));
    let profiles = lab.boto(
        "sorted({(i['IamInstanceProfile']['Arn'], i['SubnetId']) for r in ec2.describe_instances()['Reservations'] \
         for i in r['Instances'] if i['State']['Name'] == 'running'})",
    );
    let profile = theirs.text("profile");
    let expected: Vec<_> = subnets.iter().map(|subnet| json!([profile, subnet])).collect();
    assert_eq!(profiles, json!(expected));

    let plan = fleet.on(&both("one"), &["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, Some(0), "{}", plan.stdout);
    fleet.on(&both("two"), &["deploy", "--yes"]).done();
    assert_eq!(ask(&url), "two");
    let plan = fleet.on(&both("two"), &["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, Some(0), "{}", plan.stdout);

    fleet.on(&both("two"), &["destroy", "guest", "secret", "--yes"]).done();
    assert_eq!(theirs.look(&lab), before);
    let mut left = fleet.left();
    left.sort();
    // What is left is theirs: the balancer and the target group have one name.
    assert_eq!(left, ["front", "servers", "theirs", "theirs"]);
}
