//! O que se quer do servidor, em razões: o preço dele sobre o piso, e o que ganha dos outros.

use crate::pares::Par;
use crate::relatorio::{Resultado, mediana_de, numero, razao_de};
use crate::vazao::{Amostra, Celula, Quadro};

/// Uma razão que não deve passar de um limite, ou não deve ficar aquém dele.
struct Meta {
    nome: String,
    medido: Option<f64>,
    /// Das de vazão: a mesma razão pela CPU por comando, que a carga da máquina quase não toca. A vazão só
    /// passa dela se o outro não tiver um núcleo só para si.
    pela_cpu: Option<f64>,
    limite: Limite,
}

#[derive(Clone, Copy)]
enum Limite {
    NoMaximo(f64),
    NoMinimo(f64),
}

use Limite::{NoMaximo, NoMinimo};

/// Vazão do primeiro sobre a do segundo: conexões, em voo, um, outro, no mínimo.
const VAZOES: [(usize, usize, Par, Par, f64); 9] = [
    (50, 1, Par::Servidor, Par::Redis, 1.25),
    (50, 1, Par::Servidor, Par::Memcached, 1.12),
    (50, 1, Par::Servidor, Par::Threads, 1.7),
    (50, 16, Par::Servidor, Par::Redis, 2.6),
    (50, 16, Par::Servidor, Par::Memcached, 1.7),
    (50, 64, Par::Servidor, Par::Redis, 5.0),
    (50, 64, Par::Servidor, Par::Eco, 0.8),
    (50, 1, Par::ServidorRegistro, Par::Redis, 1.0),
    (50, 16, Par::ServidorRegistro, Par::Redis, 1.9),
];

/// Mostra cada meta ao lado do que se mediu.
pub fn mostrar(resultado: &Resultado) {
    println!("\nMetas (razões entre medidas da mesma rodada; medianas)");
    println!("  {:<48} {:>8}  {:>8}    {:>9}", "", "medida", "meta", "pela CPU");
    let (medidas, outras): (Vec<Meta>, Vec<Meta>) =
        metas(resultado).into_iter().partition(|meta| meta.medido.is_some());
    for Meta { nome, medido, pela_cpu, limite } in medidas {
        let (sinal, valor) = match limite {
            NoMaximo(valor) => ("≤", valor),
            NoMinimo(valor) => ("≥", valor),
        };
        let cumpre = match (medido, limite) {
            (Some(medido), NoMaximo(valor)) if medido <= valor => "✓",
            (Some(medido), NoMinimo(valor)) if medido >= valor => "✓",
            _ => "✗",
        };
        let valor = format!("{sinal} {}", numero(Some(valor), 2));
        let cpu = pela_cpu.map(|cpu| numero(Some(cpu), 2)).unwrap_or_default();
        println!("  {nome:<48} {:>8}  {valor:>8}  {cumpre} {cpu:>9}", numero(medido, 2));
    }
    println!("  não medidas: {}", outras.len());
}

fn metas(resultado: &Resultado) -> Vec<Meta> {
    let quadro = |conexoes, em_voo| quadro(resultado, conexoes, em_voo);
    let vazao = |amostra: &Amostra| amostra.vazao;
    let mut metas = vec![Meta {
        nome: "50x1: CPU por comando, servidor÷eco".into(),
        medido: quadro(50, 1).and_then(|q| q.razao(Par::Servidor, Par::Eco, |a| a.cpu)),
        pela_cpu: None,
        limite: NoMaximo(1.02),
    }];
    metas.extend(VAZOES.map(|(conexoes, em_voo, um, outro, minimo)| Meta {
        nome: format!("{conexoes}x{em_voo}: vazão, {}÷{}", um.nome(), outro.nome()),
        medido: quadro(conexoes, em_voo).and_then(|quadro| quadro.razao(um, outro, vazao)),
        pela_cpu: quadro(conexoes, em_voo).and_then(|quadro| quadro.razao(outro, um, |a| a.cpu)),
        limite: NoMinimo(minimo),
    }));
    let nossa = |conexoes| quadro(conexoes, 1)?.mediana(Par::Servidor, vazao);
    metas.push(Meta {
        nome: "vazão do servidor, 10000x1÷50x1".into(),
        medido: nossa(10_000).zip(nossa(50)).map(|(muitas, poucas)| muitas / poucas),
        pela_cpu: None,
        limite: NoMinimo(0.6),
    });
    metas.push(Meta {
        nome: "bytes por conexão parada, já respondida".into(),
        medido: mediana_de(&resultado.memoria, Par::Servidor, |p| p.atendida),
        pela_cpu: None,
        limite: NoMaximo(200.0),
    });
    let aviso = |outro| {
        let (_, avisos) = resultado.avisos.iter().find(|(ouvintes, _)| *ouvintes == 9000)?;
        razao_de(avisos, Par::Servidor, outro, |t| t.ultimo)
    };
    for (outro, maximo) in [(Par::Eco, 1.05), (Par::Redis, 1.0)] {
        metas.push(Meta {
            nome: format!("AVISO a 9000, servidor÷{}", outro.nome()),
            medido: aviso(outro),
            pela_cpu: None,
            limite: NoMaximo(maximo),
        });
    }
    metas
}

fn quadro(resultado: &Resultado, conexoes: usize, em_voo: usize) -> Option<&Quadro> {
    let celula = Celula { conexoes, em_voo };
    resultado.rapidos.iter().find(|quadro| quadro.celula == celula)
}
