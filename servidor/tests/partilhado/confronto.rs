//! O etcd de mentira e um de verdade, com as mesmas transações sorteadas, respondem o mesmo. Sem um etcd na
//! máquina, o teste é pulado, e diz o que instalar.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fastrand::Rng;
use servidor::partilhado::Gateway;
use servidor::partilhado::etcd::{Condicao, Feito, Transacao};

use crate::etcd_de_mentira::EtcdDeMentira;

struct Etcd {
    filho: Child,
    url: String,
    _pasta: tempfile::TempDir,
}

impl Etcd {
    fn abrir() -> Option<Self> {
        let porta = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (cliente, par) = (porta(), porta());
        let [url, url_do_par] = [cliente, par].map(|porta| format!("http://127.0.0.1:{porta}"));
        let pasta = tempfile::tempdir().unwrap();
        let filho = Command::new("etcd")
            .args(["--data-dir", pasta.path().to_str().unwrap(), "--unsafe-no-fsync"])
            .args(["--listen-client-urls", &url, "--advertise-client-urls", &url])
            .args(["--listen-peer-urls", &url_do_par, "--initial-advertise-peer-urls", &url_do_par])
            .args(["--initial-cluster", &format!("default={url_do_par}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match filho {
            Ok(filho) => Some(Etcd { filho, url, _pasta: pasta }),
            Err(_) => {
                println!("pulado: não há etcd (apt-get install etcd-server)");
                None
            }
        }
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.filho.kill();
        let _ = self.filho.wait();
    }
}

fn sortear(sorte: &mut Rng, revisao: u64) -> Transacao {
    let chave =
        |sorte: &mut Rng| format!("venda/{}/{}", sorte.choice(['e', 'v']).unwrap(), sorte.u8(0..4));
    let prefixo =
        |sorte: &mut Rng| sorte.choice(["venda/", "venda/e/", "venda/v/2"]).unwrap().to_owned();
    let condicao = |sorte: &mut Rng| match sorte.bool() {
        true => Condicao::EscritaEm(chave(sorte), sorte.u64(0..=revisao)),
        false => Condicao::NadaMudouDesde(prefixo(sorte), revisao.saturating_sub(sorte.u64(0..4))),
    };
    let se = (0..sorte.usize(0..2)).map(|_| condicao(sorte)).collect();
    let feitos = |sorte: &mut Rng| {
        let mut feitos = Vec::new();
        if sorte.bool() {
            let valor =
                if sorte.u8(0..8) == 0 { String::new() } else { format!("{} ç", sorte.u32(..)) };
            feitos.push(Feito::Escrever(chave(sorte), valor));
        }
        match sorte.u8(0..4) {
            3 => feitos.push(Feito::LerUma(chave(sorte))),
            0 => feitos.push(Feito::Ler(prefixo(sorte), None)),
            1 => feitos.push(Feito::Ler(prefixo(sorte), Some(sorte.u64(1..=revisao)))),
            _ => feitos.push(Feito::Pagina(chave(sorte), "venda/v/3".into(), revisao)),
        }
        feitos
    };
    Transacao { se, entao: feitos(sorte), senao: feitos(sorte) }
}

#[test]
fn o_etcd_de_mentira_responde_o_mesmo_que_o_de_verdade() {
    let Some(etcd) = Etcd::abrir() else { return };
    let mut verdadeiro = Gateway::novo(&etcd.url).unwrap();
    let limite = Instant::now() + Duration::from_secs(60);
    let primeira = loop {
        match verdadeiro.pedir(&Transacao::leitura("venda/")) {
            Ok(resposta) => break resposta,
            Err(porque) => assert!(Instant::now() < limite, "{porque}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut falso = EtcdDeMentira::novo(primeira.cluster);
    let mut sorte = Rng::with_seed(20261126);
    for vez in 0..500 {
        let transacao = sortear(&mut sorte, falso.revisao);
        let certa = verdadeiro.pedir(&transacao);
        assert_eq!(falso.fazer(&transacao), certa, "{vez}: {transacao:?}");
    }
}
