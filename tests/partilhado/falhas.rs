//! As falhas de verdade, com três membros e três servidores: ninguém vende duas vezes, nada do que se confirmou se
//! perde, e a venda volta sozinha. Cada teste imprime quanto se ficou sem vender.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use testes::{Servidor, Signal};

use crate::casa::{SemParar, com, conferir, multidao, servidor};
use crate::cluster::Cluster;
use crate::rede::{Rede, que_perde};

const ESTOQUE: &str = "1000000";
const CHEIO: &str = "estoque: o etcd está cheio: nada se vende";
const FORA: &str = "ERRO: Estoque fora de alcance. Nada foi vendido, tente de novo";

fn casa(urls: &str) -> Vec<Servidor> {
    let abrir = |n| servidor(urls, &format!("s{n}"), &["--estoque", ESTOQUE]);
    (1..=3).map(abrir).collect()
}

/// Vende com a multidão e um comprador que não para, faz a falha, e confere tudo. `fazer` diz desde quando se conta
/// quanto se ficou sem vender.
fn provar(
    falha: &str,
    cluster: &mut Cluster,
    urls: &str,
    fazer: impl FnOnce(&mut Cluster, &[Servidor]) -> Instant,
) {
    let servidores = casa(urls);
    let pasta = tempfile::tempdir().unwrap();
    let todos: Vec<&Servidor> = servidores.iter().collect();
    let opcoes = "--usuarios 60 --ciclos 40 --decisao 20ms --escuta 100ms";
    let mut gente = multidao(&todos, &pasta, opcoes);
    let compra = SemParar::comprar(&servidores[0], Duration::from_secs(8));
    gente.erro.ate("a multidão", |erro| erro.contains("usuários em"));
    let quando = fazer(cluster, &servidores);
    let pausa = compra.maior_pausa(quando);
    let termino = gente.termino_em(Duration::from_secs(60));
    let vendas = conferir(urls, &pasta, &termino);
    println!(
        "partilhado | {falha} | {vendas} vendas ouvidas pela multidão | sem vender por {pausa:.1?}"
    );
}

#[test]
fn o_lider_morre_e_a_venda_volta() {
    let Some(mut cluster) = Cluster::abrir(3, &[]) else { return };
    let urls = cluster.urls();
    provar("líder kill -9", &mut cluster, &urls, |cluster, _| {
        let (lider, quando) = (cluster.esperar_um_lider(), Instant::now());
        cluster.derrubar(lider);
        quando
    });
}

#[test]
fn o_lider_congela_cinco_segundos_e_a_venda_volta_antes_dele() {
    let Some(mut cluster) = Cluster::abrir(3, &[]) else { return };
    let urls = cluster.urls();
    provar("líder congelado 5 s", &mut cluster, &urls, |cluster, _| {
        let (lider, quando) = (cluster.esperar_um_lider(), Instant::now());
        cluster.sinal(lider, Signal::STOP);
        thread::sleep(Duration::from_secs(5));
        cluster.sinal(lider, Signal::CONT);
        quando
    });
}

#[test]
fn dois_de_tres_morrem_e_quando_voltam_a_venda_volta() {
    let Some(mut cluster) = Cluster::abrir(3, &[]) else { return };
    let urls = cluster.urls();
    provar("dois de três, e de volta", &mut cluster, &urls, |cluster, _| {
        let quando = Instant::now();
        cluster.derrubar(0);
        cluster.derrubar(1);
        // A paciência de quem compra é de 30 s; a de quem consulta, 2 s.
        thread::sleep(Duration::from_secs(1));
        cluster.levantar(0);
        cluster.levantar(1);
        quando
    });
}

/// O líder fica sem rede: nem os outros membros, nem os servidores. Os servidores começam por perguntar a ele.
#[test]
fn um_membro_fica_sem_rede_e_os_servidores_seguem_com_os_outros() {
    let rede = Rede::default();
    let elo = |membro, porta| rede.elo(membro, porta);
    let Some(mut cluster) = Cluster::com_elos(3, &[], elo) else { return };
    let lider = cluster.esperar_um_lider();
    let membros = (0..3).map(|n| (lider + n) % 3);
    let urls: Vec<String> = membros
        .map(|membro| format!("http://127.0.0.1:{}", rede.elo(membro, cluster.porta(membro))))
        .collect();
    provar("rede de um membro cortada", &mut cluster, &urls.join(","), |cluster, _| {
        let (id, quando) = (cluster.id(lider), Instant::now());
        rede.cortar(lider, id);
        quando
    });
    rede.emendar();
}

/// O líder fica sem os outros membros, e os servidores ainda lhe falam: ele não pode responder com o que já não é.
#[test]
fn um_membro_sem_os_outros_nao_responde_por_eles_e_quando_volta_alcanca_os() {
    let rede = Rede::default();
    let elo = |membro, porta| rede.elo(membro, porta);
    let Some(mut cluster) = Cluster::com_elos(3, &[], elo) else { return };
    let lider = cluster.esperar_um_lider();
    let urls: Vec<String> =
        (0..3).map(|n| format!("http://127.0.0.1:{}", cluster.porta((lider + n) % 3))).collect();
    provar("um membro sem os outros 3 s", &mut cluster, &urls.join(","), |cluster, _| {
        let (id, quando) = (cluster.id(lider), Instant::now());
        rede.cortar(lider, id);
        thread::sleep(Duration::from_secs(3));
        rede.emendar();
        quando
    });
}

/// O etcd enche; quem opera faz o que o registro diz, e a venda volta sem que se abra nada outra vez.
#[test]
fn o_etcd_enche_e_com_espaco_a_venda_volta_sozinha() {
    let Some(mut cluster) = Cluster::abrir(3, &["--quota-backend-bytes", "4000000"]) else {
        return;
    };
    let urls = cluster.urls();
    provar("etcd cheio, depois de lhe dar espaço", &mut cluster, &urls, |cluster, servidores| {
        cluster.encher();
        for servidor in servidores {
            servidor.registro().ate("a falta de espaço", |texto| texto.contains(CHEIO));
        }
        // A compra a caminho espera, e quem chega depois dela ouve que nada se vendeu.
        assert_eq!(servidores[0].cliente().pede("CONSULTAR"), FORA);
        let Err(termino) = Servidor::tentar(com(&urls, "s4", &[])) else { panic!("abriu") };
        assert!(termino.erro.contains("está cheio e não aceita escritas"), "{}", termino.erro);
        assert_eq!((termino.codigo, termino.erro.lines().count()), (Some(1), 1));
        cluster.esvaziar();
        let quando = Instant::now();
        for servidor in servidores {
            let registro = servidor.registro();
            registro.ate("a volta", |texto| texto.contains("estoque: outra vez ao alcance"));
            assert_eq!(registro.ate_agora().matches(CHEIO).count(), 1);
        }
        quando
    });
}

#[test]
fn um_servidor_morre_oito_vezes_com_lotes_em_voo() {
    let Some(cluster) = Cluster::abrir(3, &[]) else { return };
    let urls = cluster.urls();
    let servidores = casa(&urls);
    let pasta = tempfile::tempdir().unwrap();
    let todos: Vec<&Servidor> = servidores.iter().collect();
    let opcoes = "--usuarios 60 --ciclos 60 --decisao 20ms --escuta 100ms";
    let mut gente = multidao(&todos, &pasta, opcoes);
    for _ in 0..8 {
        let mut efemero = servidor(&urls, "s4", &["--silencioso"]);
        // Oito pedem sem parar, e um ouve umas respostas antes da queda.
        let mut clientes: Vec<_> = (0..8).map(|_| efemero.cliente()).collect();
        for cliente in &mut clientes {
            cliente.manda("COMPRAR\n".repeat(50));
        }
        assert!(clientes[0].linha().starts_with("Compra realizada"));
        efemero.insistir(Signal::KILL);
    }
    let termino = gente.termino_em(Duration::from_secs(60));
    let vendas = conferir(&urls, &pasta, &termino);
    println!("partilhado | servidor kill -9, 8 vezes | {vendas} vendas ouvidas pela multidão |");
}

/// Enquanto um servidor dorme, o etcd esquece tudo o que já houve: ele acorda, vende, e ainda avisa os seus.
#[test]
fn um_servidor_dorme_enquanto_o_etcd_esquece_o_passado() {
    let Some(cluster) = Cluster::abrir(1, &[]) else { return };
    let urls = cluster.urls();
    let (um, outro) = (servidor(&urls, "um", &["--estoque", "40"]), servidor(&urls, "outro", &[]));
    let mut ouvinte = um.cliente();
    assert_eq!(ouvinte.pede("CONSULTAR"), "Estoque atual: 40");
    let mut comprador = outro.cliente();
    let mut comprar = |quantas: u64, havia: u64| {
        for restante in (havia - quantas..havia).rev() {
            let ouvida = format!("Compra realizada. Estoque restante: {restante}");
            assert_eq!(comprador.pede("COMPRAR"), ouvida);
        }
    };
    um.congelado(|| {
        comprar(20, 40);
        cluster.compactar(cluster.revisao());
        comprar(10, 20);
    });
    assert_eq!(ouvinte.pede("COMPRAR"), "Compra realizada. Estoque restante: 9");
    comprar(9, 9);
    assert_eq!(ouvinte.linha(), "AVISO: O estoque acabou de esgotar!");
}

#[test]
fn tres_por_cento_das_respostas_perdem_se_e_cada_duvida_resolve_se_uma_vez() {
    let Some(mut cluster) = Cluster::abrir(3, &[]) else { return };
    let (url, perdidas) = que_perde(27, 3, cluster.porta(0));
    provar("3 % das respostas perdidas ou tardias", &mut cluster, &url, |_, _| Instant::now());
    let perdidas = perdidas.load(Ordering::Relaxed);
    assert!(perdidas > 0);
    println!("partilhado | {perdidas} respostas que não chegaram a tempo");
}
