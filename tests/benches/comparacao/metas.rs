//! O que se quer do servidor, em razões: o preço dele sobre o piso, e o que ganha dos outros.
//!
//! As de velocidade são de CPU por comando, que a carga da máquina quase não toca; só quem espera pelo disco se mede
//! pelo relógio, porque a CPU não diz quanto esperou.

use crate::pares::Par;
use crate::relatorio::{Resultado, mediana_de, numero, razao_de};
use crate::vazao::{Amostra, Celula, Quadro};

/// Uma razão que não deve passar de um limite, ou não deve ficar aquém dele.
struct Meta {
    nome: String,
    medido: Option<f64>,
    limite: Limite,
}

#[derive(Clone, Copy)]
enum Limite {
    NoMaximo(f64),
    NoMinimo(f64),
}

use Limite::{NoMaximo, NoMinimo};

/// Uma medida de um sobre a de outro: conexões, em voo, um, outro, o que se espera.
type Razao = (usize, usize, Par, Par, Limite);

const DE_CPU: [Razao; 6] = [
    (50, 1, Par::Servidor, Par::Eco, NoMaximo(1.02)),
    (50, 16, Par::Servidor, Par::Eco, NoMaximo(1.05)),
    (50, 64, Par::Servidor, Par::Eco, NoMaximo(1.1)),
    (50, 16, Par::Redis, Par::Servidor, NoMinimo(1.9)),
    (50, 64, Par::Redis, Par::Servidor, NoMinimo(4.0)),
    (50, 16, Par::ServidorRegistro, Par::Servidor, NoMaximo(1.15)),
];

const DE_VAZAO_NO_DISCO: [Razao; 3] = [
    (50, 1, Par::ServidorLivro, Par::RedisDuravel, NoMinimo(1.1)),
    (50, 16, Par::ServidorLivro, Par::RedisDuravel, NoMinimo(1.1)),
    (50, 64, Par::ServidorLivro, Par::RedisDuravel, NoMinimo(1.0)),
];

const DE_P99_NO_DISCO: [Razao; 1] =
    [(50, 16, Par::ServidorLivro, Par::RedisDuravel, NoMaximo(1.3))];

/// Mostra cada meta ao lado do que se mediu.
pub fn mostrar(resultado: &Resultado) {
    println!("\nMetas (razões entre medidas da mesma rodada; medianas)");
    println!("  {:<52} {:>8}  {:>8}", "", "medida", "meta");
    let (medidas, outras): (Vec<Meta>, Vec<Meta>) =
        metas(resultado).into_iter().partition(|meta| meta.medido.is_some());
    for Meta { nome, medido, limite } in medidas {
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
        println!("  {nome:<52} {:>8}  {valor:>8}  {cumpre}", numero(medido, 2));
    }
    println!("  não medidas: {}", outras.len());
}

fn metas(resultado: &Resultado) -> Vec<Meta> {
    let Resultado { rapidos, duraveis, .. } = resultado;
    let mut metas = Vec::new();
    metas.extend(razoes(rapidos, "CPU por comando", &DE_CPU, |a| a.cpu));
    metas.extend(razoes(duraveis, "vazão", &DE_VAZAO_NO_DISCO, |a| a.vazao));
    metas.extend(razoes(duraveis, "p99", &DE_P99_NO_DISCO, |a| a.latencias[1]));
    let nossa =
        |conexoes| quadro(rapidos, conexoes, 1)?.mediana(Par::Servidor, |amostra| amostra.vazao);
    metas.push(Meta {
        nome: "vazão do servidor, 10000x1÷50x1".into(),
        medido: nossa(10_000).zip(nossa(50)).map(|(muitas, poucas)| muitas / poucas),
        limite: NoMinimo(0.6),
    });
    metas.push(Meta {
        nome: "bytes por conexão parada, já respondida".into(),
        medido: mediana_de(&resultado.memoria, Par::Servidor, |p| p.atendida),
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
            limite: NoMaximo(maximo),
        });
    }
    metas
}

fn razoes(
    quadros: &[Quadro],
    nome: &str,
    razoes: &[Razao],
    o_que: impl Fn(&Amostra) -> f64,
) -> Vec<Meta> {
    let meta = |&(conexoes, em_voo, um, outro, limite): &Razao| Meta {
        nome: format!("{conexoes}x{em_voo}: {nome}, {}÷{}", um.nome(), outro.nome()),
        medido: quadro(quadros, conexoes, em_voo).and_then(|q| q.razao(um, outro, &o_que)),
        limite,
    };
    razoes.iter().map(meta).collect()
}

fn quadro(quadros: &[Quadro], conexoes: usize, em_voo: usize) -> Option<&Quadro> {
    quadros.iter().find(|quadro| quadro.celula == Celula { conexoes, em_voo })
}
