//! O estoque partilhado, ao lado de um servidor com livro: um, dois, três e oito servidores sobre um etcd de três
//! membros, na mesma máquina; e ao lado de quem também só responde com a venda em dois lugares, o PostgreSQL com uma
//! cópia síncrona e o Redis com uma réplica. Só se mede quando se pede (`--tabelas partilhado`): os outros pares não precisam de um
//! etcd, e este não cabe nas tabelas deles, porque tem vários endereços.

use std::net::SocketAddr;
use std::time::Instant;

use testes::{Cliente, Servidor, executar};

use crate::cluster::Cluster;
use crate::fala::Fala;
use crate::gerador::Carga;
use crate::opcoes::{Opcoes, Tempos};
use crate::vazao::{Celula, mediana};
use crate::{pares, postgres};

const CELULAS: [(usize, usize); 6] = [(50, 1), (150, 1), (600, 1), (50, 16), (150, 16), (600, 16)];
const ESTOQUE: &str = "1000000000000";

/// O que se viu de uma rodada.
struct Rodada {
    vazao: f64,
    p50: f64,
    p99: f64,
    /// Do servidor que vendeu menos ao que vendeu mais.
    justica: f64,
}

/// Quem se mede, na ordem da tabela.
#[derive(Debug, Clone, Copy)]
enum Quem {
    Livro,
    Partilhado(usize),
    Postgres,
    Redis,
}

const TODOS: [Quem; 7] = [
    Quem::Livro,
    Quem::Partilhado(1),
    Quem::Partilhado(2),
    Quem::Partilhado(3),
    Quem::Partilhado(8),
    Quem::Postgres,
    Quem::Redis,
];

impl Quem {
    fn nome(self) -> String {
        match self {
            Quem::Livro => "um com livro".into(),
            Quem::Partilhado(quantos) => format!("{quantos} partilhado(s)"),
            Quem::Postgres => "PostgreSQL e cópia".into(),
            Quem::Redis => "Redis e réplica".into(),
        }
    }

    fn medir(self, cluster: &Cluster, celula: Celula, tempos: &Tempos) -> Result<Rodada, String> {
        let pasta = || tempfile::tempdir().unwrap();
        match self {
            Quem::Livro => Ok(com_livro(celula, tempos)),
            Quem::Partilhado(quantos) => Ok(partilhado(cluster, quantos, celula, tempos)),
            Quem::Postgres => {
                let abertos = postgres::com_copia([pasta(), pasta()], celula.conexoes)?;
                Ok(correr(&[abertos[0].endereco], &postgres::fala(), celula, tempos))
            }
            Quem::Redis => {
                let abertos = pares::redis_com_replica([pasta(), pasta()])?;
                Ok(correr(&[abertos[0].endereco], &pares::fala_com_replica(), celula, tempos))
            }
        }
    }
}

/// Mede e mostra tudo.
pub fn comparar(opcoes: &Opcoes) {
    let tempos = opcoes.tempos();
    let Some(cluster) = Cluster::abrir(3, &[]) else { return };
    println!("\nEstoque partilhado: um etcd de três membros, ao lado de um servidor com livro");
    println!(
        "{:<28}{:>10}{:>9}{:>9}{:>9}{:>9}",
        "", "vendas/s", "÷ livro", "p50 ms", "p99 ms", "justiça"
    );
    let todas = CELULAS.map(|(conexoes, em_voo)| Celula { conexoes, em_voo }).to_vec();
    let celulas = if opcoes.celulas.is_empty() { todas } else { opcoes.celulas.clone() };
    for celula in celulas {
        let mut rodadas: [Vec<Result<Rodada, String>>; TODOS.len()] = Default::default();
        for _ in 0..tempos.rodadas {
            for (quem, rodadas) in TODOS.iter().zip(&mut rodadas) {
                rodadas.push(quem.medir(&cluster, celula, &tempos));
            }
        }
        mostrar(celula, &rodadas);
    }
    consultar(&cluster);
    avisar();
}

/// Uma linha por quem se mediu, com as medianas das rodadas. A razão é entre medidas da mesma rodada.
fn mostrar(celula: Celula, rodadas: &[Vec<Result<Rodada, String>>]) {
    for (quem, deste) in TODOS.iter().zip(rodadas) {
        let nome = format!("{} x {}, {}", celula.conexoes, celula.em_voo, quem.nome());
        if let Some(motivo) = deste.iter().find_map(|rodada| rodada.as_ref().err()) {
            println!("{nome:<28}  {motivo}");
            continue;
        }
        let meio = |de: fn(&Rodada) -> f64| mediana(deste.iter().flatten().map(de)).unwrap();
        let razoes = deste.iter().flatten().zip(rodadas[0].iter().flatten());
        let razao = mediana(razoes.map(|(este, livro)| este.vazao / livro.vazao)).unwrap();
        println!(
            "{nome:<28}{:>10.0}{razao:>9.2}{:>9.2}{:>9.2}{:>9.2}",
            meio(|r| r.vazao),
            meio(|r| r.p50),
            meio(|r| r.p99),
            meio(|r| r.justica)
        );
    }
}

fn correr(enderecos: &[SocketAddr], fala: &Fala, celula: Celula, tempos: &Tempos) -> Rodada {
    let Celula { conexoes, em_voo } = celula;
    let mut carga = Carga::conectar(enderecos, fala, conexoes).unwrap();
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
    let servidor = Servidor::abrir(&opcoes);
    correr(&[servidor.endereco()], &Fala::de_linhas("COMPRAR\n"), celula, tempos)
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
    correr(&enderecos, &Fala::de_linhas("COMPRAR\n"), celula, tempos)
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
