//! O estoque partilhado, ao lado de um servidor com livro: um, dois, três e oito servidores sobre um etcd de três
//! membros, na mesma máquina. Só se mede quando se pede (`--tabelas partilhado`): os outros pares não precisam de um
//! etcd, e este não cabe nas tabelas deles, porque tem vários endereços.

use std::net::SocketAddr;
use std::time::Instant;

use testes::{Cliente, Servidor, executar};

use crate::cluster::Cluster;
use crate::fala::Fala;
use crate::gerador::Carga;
use crate::opcoes::Tempos;
use crate::vazao::{Celula, mediana};

const SERVIDORES: [usize; 4] = [1, 2, 3, 8];
const CELULAS: [(usize, usize); 5] = [(50, 1), (150, 1), (600, 1), (50, 16), (150, 16)];
const ESTOQUE: &str = "1000000000000";

/// O que se viu de uma rodada.
struct Rodada {
    vazao: f64,
    p50: f64,
    p99: f64,
    /// Do servidor que vendeu menos ao que vendeu mais.
    justica: f64,
}

/// Mede e mostra tudo.
pub fn comparar(tempos: &Tempos) {
    let Some(cluster) = Cluster::abrir(3, &[]) else { return };
    println!("\nEstoque partilhado: um etcd de três membros, ao lado de um servidor com livro");
    println!(
        "{:<26}{:>10}{:>9}{:>9}{:>9}{:>9}",
        "", "vendas/s", "÷ livro", "p50 ms", "p99 ms", "justiça"
    );
    for (conexoes, em_voo) in CELULAS {
        let celula = Celula { conexoes, em_voo };
        let mut rodadas: Vec<Vec<Rodada>> = (0..=SERVIDORES.len()).map(|_| Vec::new()).collect();
        for _ in 0..tempos.rodadas {
            rodadas[0].push(com_livro(celula, tempos));
            for (qual, quantos) in SERVIDORES.into_iter().enumerate() {
                rodadas[qual + 1].push(partilhado(&cluster, quantos, celula, tempos));
            }
        }
        let meio =
            |qual: usize, de: fn(&Rodada) -> f64| mediana(rodadas[qual].iter().map(de)).unwrap();
        let livro = meio(0, |r| r.vazao);
        for qual in 0..rodadas.len() {
            let nome = match qual {
                0 => format!("{conexoes} x {em_voo}, um com livro"),
                _ => format!("{conexoes} x {em_voo}, {} partilhado(s)", SERVIDORES[qual - 1]),
            };
            let [vazao, p50, p99, justica] = [
                meio(qual, |r| r.vazao),
                meio(qual, |r| r.p50),
                meio(qual, |r| r.p99),
                meio(qual, |r| r.justica),
            ];
            println!(
                "{nome:<26}{vazao:>10.0}{:>9.2}{p50:>9.2}{p99:>9.2}{justica:>9.2}",
                vazao / livro
            );
        }
    }
    consultar(&cluster);
    avisar();
}

fn correr(enderecos: &[SocketAddr], celula: Celula, tempos: &Tempos) -> Rodada {
    let Celula { conexoes, em_voo } = celula;
    let fala = Fala::de_linhas("COMPRAR\n");
    let mut carga = Carga::conectar(enderecos, &fala, conexoes).unwrap();
    let corrida = carga.correr(em_voo, tempos.aquecimento, tempos.janela).unwrap();
    let ms = |quantil| corrida.latencias.value_at_quantile(quantil) as f64 / 1e6;
    let por_servidor = corrida.por_destino.iter().copied();
    let (menos, mais) = (por_servidor.clone().min().unwrap(), por_servidor.max().unwrap());
    Rodada {
        vazao: corrida.na_janela as f64 / tempos.janela.as_secs_f64(),
        p50: ms(0.5),
        p99: ms(0.99),
        justica: menos as f64 / mais as f64,
    }
}

fn com_livro(celula: Celula, tempos: &Tempos) -> Rodada {
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    let opcoes = ["--silencioso", "--estoque", ESTOQUE, "--livro", livro.to_str().unwrap()];
    correr(&[Servidor::abrir(&opcoes).endereco()], celula, tempos)
}

fn abrir(cluster: &Cluster, quantos: usize, estoque: &str) -> Vec<Servidor> {
    let urls = cluster.urls();
    let abrir = |n: usize| {
        let nome = format!("s{n}");
        let opcoes = ["--partilhado", &urls, "--nome", &nome, "--estoque", estoque, "--silencioso"];
        Servidor::abrir(&opcoes)
    };
    (0..quantos).map(abrir).collect()
}

fn partilhado(cluster: &Cluster, quantos: usize, celula: Celula, tempos: &Tempos) -> Rodada {
    let servidores = abrir(cluster, quantos, ESTOQUE);
    let enderecos: Vec<SocketAddr> = servidores.iter().map(Servidor::endereco).collect();
    correr(&enderecos, celula, tempos)
}

/// Uma volta de CONSULTAR, de um cliente só.
fn consultar(cluster: &Cluster) {
    let servidores = abrir(cluster, 3, ESTOQUE);
    let mut cliente = servidores[0].cliente();
    let volta = |_| {
        let desde = Instant::now();
        assert!(cliente.pede("CONSULTAR").starts_with("Estoque atual"));
        desde.elapsed().as_secs_f64() * 1e3
    };
    let voltas = (0..200).map(volta);
    println!(
        "\numa volta de CONSULTAR, sozinho (mediana de 200): {:.2} ms",
        mediana(voltas).unwrap()
    );
}

/// Da resposta de quem comprou a última unidade até o AVISO chegar ao último de outro servidor.
fn avisar() {
    let Some(cluster) = Cluster::abrir(3, &[]) else { return };
    let servidores = abrir(&cluster, 3, "1");
    let urls = cluster.urls();
    let mut comprador = servidores[0].cliente();
    let mut ouvintes: Vec<Cliente> = (0..50).map(|n| servidores[1 + n % 2].cliente()).collect();
    ouvintes.iter_mut().for_each(|ouvinte| drop(ouvinte.pede("CONSULTAR")));
    let mut tempos: Vec<f64> = Vec::new();
    for vez in 0..20 {
        if vez > 0 {
            assert_eq!(
                executar("servidor", ["--partilhado", &urls, "--repor", "1"]).codigo,
                Some(0)
            );
        }
        assert!(comprador.pede("COMPRAR").ends_with("restante: 0"));
        let desde = Instant::now();
        assert!(comprador.linha().starts_with("AVISO"));
        ouvintes.iter_mut().for_each(|ouvinte| assert!(ouvinte.linha().starts_with("AVISO")));
        tempos.push(desde.elapsed().as_secs_f64() * 1e3);
    }
    let pior = tempos.iter().copied().fold(0.0, f64::max);
    let meio = mediana(tempos).unwrap();
    println!(
        "o AVISO a 50 de dois outros servidores, em 20 vezes: {meio:.1} ms (mediana), {pior:.1} ms (máximo)"
    );
}
