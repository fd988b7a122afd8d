//! As falhas de verdade, com três membros e três servidores: ninguém vende duas vezes, nada do que se confirmou se
//! perde, e a venda volta sozinha. Cada teste imprime quanto se ficou sem vender.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use testes::{Servidor, Signal, recusa};

use crate::casa::{SemParar, com, conferir, multidao, servidor};
use crate::cluster::Cluster;

const ESTOQUE: &str = "1000000";
const SEM_LUGAR: &str = "estoque: fora de alcance: o etcd ficou sem lugar (quota)";

fn casa(urls: &str) -> Vec<Servidor> {
    let abrir = |n| servidor(urls, &format!("s{n}"), &["--estoque", ESTOQUE]);
    (1..=3).map(abrir).collect()
}

/// Vende com a multidão e um comprador que não para, faz a falha, e confere tudo. Quanto se ficou sem vender conta-se
/// desde o instante que `fazer` diz.
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

/// Quem vende ainda chega ao líder cortado, que já não decide nada.
#[test]
fn a_rede_separa_o_lider_dos_outros_e_a_venda_volta() {
    let Some(mut cluster) = Cluster::abrir(3, &[]) else { return };
    let lider = cluster.esperar_um_lider();
    let urls = cluster.urls_desde(lider);
    provar("líder separado dos outros", &mut cluster, &urls, |cluster, _| {
        let quando = Instant::now();
        cluster.cortar(lider);
        quando
    });
    // E quando a rede volta ele aceita o que os outros decidiram.
    cluster.emendar();
    let servidor = servidor(&urls, "depois", &["--silencioso"]);
    assert!(servidor.cliente().pede("COMPRAR").starts_with("Compra realizada"));
}

/// O líder fica sem rede nenhuma, e é a ele que os servidores perguntavam: seguem com os outros dois.
#[test]
fn um_membro_fica_sem_rede_e_os_servidores_seguem_com_os_outros() {
    let Some(mut cluster) = Cluster::abrir(3, &[]) else { return };
    let lider = cluster.esperar_um_lider();
    let urls = cluster.urls_pela_rede(lider);
    provar("rede de um membro cortada", &mut cluster, &urls, |cluster, _| {
        let quando = Instant::now();
        cluster.cortar(lider);
        quando
    });
}

/// Quem opera faz o que o registro diz, e a venda volta sem que se abra nada outra vez.
#[test]
fn o_etcd_fica_sem_lugar_e_com_ele_a_venda_volta_sozinha() {
    let opcoes = ["--quota-backend-bytes", "4000000"];
    let Some(mut cluster) = Cluster::abrir(3, &opcoes) else { return };
    let urls = cluster.urls();
    provar("etcd sem lugar, desde que o tem", &mut cluster, &urls, |cluster, servidores| {
        cluster.encher();
        for servidor in servidores {
            servidor.registro().ate("a falta de lugar", |texto| texto.contains(SEM_LUGAR));
        }
        let dito = recusa(com(&urls, "s4", &[]));
        assert!(dito.contains("ficou sem lugar (quota) e não aceita escritas"), "{dito}");
        cluster.esvaziar();
        let quando = Instant::now();
        for servidor in servidores {
            let registro = servidor.registro();
            registro.ate("a volta", |texto| texto.contains("estoque: outra vez ao alcance"));
            assert_eq!(registro.ate_agora().matches(SEM_LUGAR).count(), 1);
        }
        quando
    });
}

#[test]
fn sem_lugar_no_etcd_nada_se_vende_e_o_registro_diz_o_que_fazer() {
    let opcoes = ["--quota-backend-bytes", "2000000"];
    let Some(cluster) = Cluster::abrir(1, &opcoes) else { return };
    let urls = cluster.urls();
    let servidor = servidor(&urls, "s1", &["--estoque", "5"]);
    let mut cliente = servidor.cliente();
    assert_eq!(cliente.pede("COMPRAR"), "Compra realizada. Estoque restante: 4");
    cluster.encher();
    cliente.manda("COMPRAR\n");
    servidor.registro().ate("a falta de lugar", |texto| texto.contains(SEM_LUGAR));
    let fora = "ERRO: Estoque fora de alcance. Nada foi vendido, tente de novo";
    assert_eq!(servidor.cliente().pede("CONSULTAR"), fora);
    let quando = Instant::now();
    cluster.esvaziar();
    // Quem esperava é atendido, uma vez.
    assert_eq!(cliente.linha(), "Compra realizada. Estoque restante: 3");
    let pausa = quando.elapsed();
    println!("partilhado | etcd sem lugar | vende {pausa:.1?} depois de ter lugar");
    servidor.registro().ate("a volta", |texto| texto.contains("estoque: outra vez ao alcance"));
    assert_eq!(servidor.cliente().pede("CONSULTAR"), "Estoque atual: 3");
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

/// O que abre por último fica; o anterior para, com lotes em voo, e os clientes dele vão aos outros.
#[test]
fn outro_servidor_toma_o_nome_de_um_que_vende_e_nada_se_vende_duas_vezes() {
    let Some(cluster) = Cluster::abrir(3, &[]) else { return };
    let urls = cluster.urls();
    let mut servidores = casa(&urls);
    let pasta = tempfile::tempdir().unwrap();
    let todos: Vec<&Servidor> = servidores.iter().collect();
    let opcoes = "--usuarios 60 --ciclos 40 --decisao 20ms --escuta 100ms";
    let mut gente = multidao(&todos, &pasta, opcoes);
    gente.erro.ate("a multidão", |erro| erro.contains("usuários em"));
    let outro = servidor(&urls, "s1", &[]);
    let mut cliente = outro.cliente();
    cliente.manda("COMPRAR\n".repeat(200));
    let termino = servidores[0].termino();
    assert_eq!(termino.codigo, Some(1));
    assert!(termino.erro.contains("outro servidor chamado s1 abriu"));
    assert!(cliente.linhas(200).iter().all(|linha| linha.starts_with("Compra realizada")));
    let termino = gente.termino_em(Duration::from_secs(60));
    let vendas = conferir(&urls, &pasta, &termino);
    println!("partilhado | dois servidores de um nome | {vendas} vendas ouvidas pela multidão |");
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

/// Um proxy que, em tantas respostas por mil, fecha a conexão em vez de a entregar.
fn proxy_que_perde(por_mil: u64, porta: u16) -> (String, Arc<AtomicU64>) {
    let escuta = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", escuta.local_addr().unwrap());
    let perdidas = Arc::new(AtomicU64::new(0));
    let sorte = Arc::new(Mutex::new(fastrand::Rng::with_seed(7)));
    let conta = Arc::clone(&perdidas);
    thread::spawn(move || {
        for cliente in escuta.incoming().map_while(Result::ok) {
            let Ok(etcd) = TcpStream::connect(("127.0.0.1", porta)) else { continue };
            let (ida, volta) = (cliente.try_clone().unwrap(), etcd.try_clone().unwrap());
            thread::spawn(move || levar(ida, volta, |_| true));
            let (sorte, conta) = (Arc::clone(&sorte), Arc::clone(&conta));
            thread::spawn(move || {
                levar(etcd, cliente, |_| {
                    let perde = sorte.lock().unwrap().u64(0..1000) < por_mil;
                    conta.fetch_add(u64::from(perde), Ordering::Relaxed);
                    !perde
                });
            });
        }
    });
    (url, perdidas)
}

fn levar(mut de: TcpStream, mut para: TcpStream, mut passa: impl FnMut(&[u8]) -> bool) {
    let mut bytes = [0; 64 * 1024];
    while let Ok(lidos @ 1..) = de.read(&mut bytes) {
        if !passa(&bytes[..lidos]) || para.write_all(&bytes[..lidos]).is_err() {
            break;
        }
    }
    let _ = de.shutdown(Shutdown::Both);
    let _ = para.shutdown(Shutdown::Both);
}

#[test]
fn tres_por_cento_das_respostas_perdem_se_e_cada_duvida_resolve_se_uma_vez() {
    let Some(mut cluster) = Cluster::abrir(3, &[]) else { return };
    let (url, perdidas) = proxy_que_perde(30, cluster.porta(0));
    provar("3 % das respostas perdidas", &mut cluster, &url, |_, _| Instant::now());
    let perdidas = perdidas.load(Ordering::Relaxed);
    assert!(perdidas > 0);
    println!("partilhado | {perdidas} respostas que não chegaram");
}

/// Um proxy que, a tantos pedidos por mil, desiste de quem pede e só depois os entrega.
fn proxy_que_atrasa(por_mil: u64, porta: u16) -> (String, Arc<AtomicU64>) {
    let escuta = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", escuta.local_addr().unwrap());
    let atrasados = Arc::new(AtomicU64::new(0));
    let sorte = Arc::new(Mutex::new(fastrand::Rng::with_seed(11)));
    let conta = Arc::clone(&atrasados);
    thread::spawn(move || {
        for cliente in escuta.incoming().map_while(Result::ok) {
            let Ok(etcd) = TcpStream::connect(("127.0.0.1", porta)) else { continue };
            let (volta, para_o_cliente) = (etcd.try_clone().unwrap(), cliente.try_clone().unwrap());
            thread::spawn(move || levar(volta, para_o_cliente, |_| true));
            let (sorte, conta) = (Arc::clone(&sorte), Arc::clone(&conta));
            let resto = cliente.try_clone().unwrap();
            thread::spawn(move || {
                levar(cliente, etcd, |bytes| {
                    let atrasa = bytes.starts_with(b"POST /v3/kv/txn")
                        && sorte.lock().unwrap().u64(0..1000) < por_mil;
                    if atrasa {
                        conta.fetch_add(1, Ordering::Relaxed);
                        entregar_tarde(bytes.to_vec(), resto.try_clone().unwrap(), porta);
                    }
                    !atrasa
                });
            });
        }
    });
    (url, atrasados)
}

/// O pedido inteiro chega ao etcd depois de quem o fez já ter desistido, e feito outros.
fn entregar_tarde(mut pedido: Vec<u8>, mut resto: TcpStream, porta: u16) {
    resto.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
    let mut bytes = [0; 64 * 1024];
    while let Ok(lidos @ 1..) = resto.read(&mut bytes) {
        pedido.extend_from_slice(&bytes[..lidos]);
    }
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        let mut etcd = TcpStream::connect(("127.0.0.1", porta)).ok()?;
        etcd.write_all(&pedido).ok()?;
        let _ = etcd.read(&mut bytes);
        Some(())
    });
}

#[test]
fn um_pedido_que_chega_tarde_ao_etcd_ja_nao_vale() {
    let Some(mut cluster) = Cluster::abrir(3, &[]) else { return };
    let (url, atrasados) = proxy_que_atrasa(30, cluster.porta(0));
    provar("3 % dos pedidos chegam tarde", &mut cluster, &url, |_, _| Instant::now());
    let atrasados = atrasados.load(Ordering::Relaxed);
    assert!(atrasados > 0);
    println!("partilhado | {atrasados} pedidos que chegaram tarde");
}
