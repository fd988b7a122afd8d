//! A auditoria: o servidor vendeu direito? Uma função pura sobre as histórias.
//!
//! Um estoque certo só desce, uma unidade por vez, e cada unidade tem um só comprador. Toda resposta
//! é uma *leitura* desse contador em algum instante entre o envio do pedido e a chegada da resposta:
//! CONSULTAR lê o que há, uma venda lê o que restou, "esgotado" lê zero. Daí as regras:
//!
//! 1. nenhuma leitura é negativa;
//! 2. duas vendas nunca leem o mesmo restante: seria a mesma unidade vendida duas vezes;
//! 3. se uma leitura terminou antes de outra começar, a segunda não pode ver mais que a primeira
//!    (uma venda, nem o mesmo): o contador teria subido;
//! 4. se só a multidão compra e se sabe com quanto o servidor abriu, ninguém lê mais que isso e
//!    nenhuma unidade some: o que o contador desceu, alguém aqui comprou, ou pode ter comprado em um
//!    pedido que ficou sem resposta. Recusar com uma unidade por vender é o mesmo que sumir com ela. E não
//!    há mais vendas do que unidades, ainda que nem todas digam quanto restou;
//! 5. o AVISO chega uma vez, e só uma, a cada conexão que estava aberta no esgotamento (§7.3), logo
//!    depois dele, e não antes nem a quem conectou depois. A ordem entre ele e a resposta do comprador
//!    não é conferida: o enunciado não a pede.
//!
//! 6. um pedido numerado (`PEDIDO id`) tem sempre a mesma resposta. Se ela só veio depois de uma queda, o pedido
//!    pode ter agido em qualquer instante desde a primeira vez que partiu, e é esse o intervalo da operação.
//!
//! Com vários servidores que vendem um só estoque, as quatro primeiras não mudam: a história é uma, em um só relógio, e
//! quem leu 7 em um servidor não pode ler 8 em outro depois. A quinta é de cada servidor. O que vendeu a última unidade
//! avisa como se fosse o único. Os outros sabem do esgotamento mais tarde, e só se lhes cobra o AVISO a partir de
//! quando se viu que sabiam (responderam que acabou, ou avisaram alguém), com uma tolerância deles
//! ([`TOLERANCIA_ENTRE_SERVIDORES`]); de um que não se viu saber, só se observa. Recusar antes de avisar não é erro: a
//! recusa leu o estoque, e a ordem entre os dois não é conferida. Mas nenhum pode avisar enquanto ainda se vende em
//! outro. Quem ouviu que o estoque está fora de alcance não comprou: não é uma dúvida, e se a unidade some é erro.
//!
//! As quatro primeiras são sobre o estoque; a quinta, sobre o AVISO, que é um extra (§9). São dois
//! vereditos: um AVISO errado, ou que faltou, não diz que o Lock está errado, e por isso o AVISO também
//! não testemunha nas quatro primeiras. Sem nenhuma venda e nenhuma recusa que se entendam, do estoque
//! só se acusa o que as consultas contradizem; que está certo, não se diz.
//!
//! As três primeiras são a linearizabilidade inteira, porque o contador só desce: o valor de cada
//! leitura já diz o lugar dela na única ordem possível (a venda que deixou v, as leituras de v, a
//! venda que deixou v-1...). Uma ordem assim cabe nos intervalos se, e só se, nenhuma operação que a
//! ordem põe antes começou depois de terminar uma que ela põe depois; e isso é a regra 3. Uma venda
//! que a multidão não viu não tem intervalo, e por isso não muda a conta. A regra 4 acrescenta as
//! vendas sem dono: cada uma precisa de um pedido sem resposta que tenha partido a tempo.
//!
//! O mesmo diz um verificador que não é nosso (o WGL do crate `todc-utils`, que só conhece o contador sequencial):
//! em 4.000 histórias sorteadas, certas e com defeitos plantados, os dois concordam em todas
//! (`cargo test -p cliente --test linearizabilidade -- --nocapture`). Com vendas sem número a auditoria é mais
//! fraca, e só se confere que ela não acusa quem o verificador explica.
//!
//! Quando o estoque também sobe, e o livro do servidor diz quanto entrou e depois de quantas vendas, as quatro regras
//! valem sobre uma história desdobrada ([`reposicoes`]), e o AVISO não se julga.
//!
//! O que a multidão não pode afirmar fica como observação, não como acusação: sem saber que compra
//! sozinha, uma unidade que ninguém aqui comprou pode ter ido a outro comprador.
//!
//! ```text
//!   auditar ─► estoque, aviso ─► leituras ─► violacao ─► regra    as regras, sobre o que cada um viu
//!      ├─────► observacoes                                        o que vale dizer, e não acusa
//!      └─────► veredito ─► desenho ─► violacao                    a conclusão, e as provas no tempo
//!                  ├─────► explicacao                         por que nenhuma ordem serve
//!                  └─────► motivos                                por que não se julga
//! ```

mod aviso;
pub(crate) mod desenho;
mod estoque;
mod explicacao;
mod leituras;
pub mod motivos;
mod observacoes;
pub mod regra;
pub mod reposicoes;
pub mod veredito;
pub mod violacao;

use std::collections::BTreeSet;
use std::time::Duration;

pub use observacoes::extravios;
pub use regra::{ESPERA_DO_AVISO, TOLERANCIA_DO_AVISO, TOLERANCIA_ENTRE_SERVIDORES};

use crate::historia::vivido::{Historia, Qual};
use aviso::{Esgotamento, aviso_com_o_que_vender, avisos, ouvintes};
use estoque::{
    acima_do_inicial, duas_respostas, ha_vendas, mais_que_havia, negativas, subidas, sumidas,
    vendas_repetidas,
};
use leituras::{leituras_dos_avisos, reunir_leituras, sem_lugar};
use motivos::SemAviso;
use observacoes::observar;
use protocolo::terminal::contar;
use regra::Regra;
use reposicoes::{Reposicoes, Viu};
use veredito::Veredito;
use violacao::{Leitura, Violacao};

/// Confere as histórias de uma simulação. `estoque` é com quantas unidades o servidor abriu, se
/// ninguém mais comprou delas; sem isso, a regra 4 não se afirma.
pub fn auditar(historias: &[Historia], estoque: Option<u64>) -> Veredito {
    let leituras = reunir_leituras(historias);
    let mut violacoes = Vec::new();
    negativas(&leituras, &mut violacoes);
    so_desce(&leituras, &mut violacoes);
    violacoes.extend(duas_respostas(historias));
    let mut com_os_avisos = leituras.clone();
    com_os_avisos.extend(leituras_dos_avisos(historias));
    if let Some(inicial) = estoque.map(i128::from) {
        violacoes.extend(acima_do_inicial(&leituras, inicial));
        let (partidas, ninguem) = (sem_lugar(historias), BTreeSet::new());
        let sumida = sumidas(&leituras, partidas.clone(), inicial, &ninguem);
        if sumida.is_none() {
            let pelo_aviso = sumidas(&com_os_avisos, partidas, inicial, &ninguem);
            violacoes.extend(pelo_aviso.map(aviso_com_o_que_vender));
        }
        violacoes.extend(sumida);
        violacoes.extend(mais_que_havia(historias, inicial));
    }
    let mut observacoes = observar(historias, &com_os_avisos, estoque.is_some());
    let esgotamento = Esgotamento::de(&com_os_avisos, historias);
    avisos(historias, &leituras, esgotamento.as_ref(), &mut violacoes);
    observacoes.extend(esgotamento.as_ref().and_then(|e| e.espalhou_devagar(historias)));
    observacoes.extend(esgotamento.iter().flat_map(|e| e.servidores_calados(historias)));
    // Estável: no mesmo instante, na ordem das regras.
    violacoes.sort_by_key(|violacao| violacao.quando);
    let ouviram = ouvintes(historias, &com_os_avisos, esgotamento.as_ref());
    Veredito { violacoes, observacoes, vendas: ha_vendas(historias, &leituras), ouviram }
}

/// As regras 2 e 3, sobre um contador que só desce.
fn so_desce(leituras: &[Leitura], violacoes: &mut Vec<Violacao>) {
    vendas_repetidas(leituras, violacoes);
    subidas(leituras, violacoes);
}

/// Como [`auditar`], de um estoque em que entrou o que o livro do servidor diz. `estoque` é com quanto ele abriu
/// quando a multidão começou, se só ela compra.
pub fn auditar_com_reposicoes(
    historias: &[Historia],
    estoque: Option<u64>,
    reposicoes: &Reposicoes,
) -> Veredito {
    let leituras = reunir_leituras(historias);
    let inicial = estoque.map(i128::from);
    // O mesmo estoque pode ter havido mais de uma vez: serve qualquer começo que explique o que se viu.
    let comecos = inicial.map(|inicial| reposicoes.comecos(inicial)).unwrap_or_default();
    let tentar = |comeco| conferir_desde(historias, &leituras, reposicoes, comeco, inicial);
    let mut melhor = None;
    for comeco in comecos.iter().copied().map(Some) {
        let conferido = tentar(comeco);
        let certo = conferido.0.is_empty();
        if melhor.as_ref().is_none_or(|(v, _): &(Vec<_>, _)| conferido.0.len() < v.len()) {
            melhor = Some(conferido);
        }
        if certo {
            break;
        }
    }
    let (mut violacoes, viu) = melhor.unwrap_or_else(|| tentar(None));
    if viu == Viu::NadaPorEntrar {
        // Vale tudo o que se confere sem reposições, o AVISO também.
        let mut veredito = auditar(historias, estoque);
        let acusado = veredito.primeira(true).is_some();
        veredito.violacoes.extend(violacoes.into_iter().filter(|_| !acusado));
        veredito.violacoes.sort_by_key(|violacao| violacao.quando);
        return veredito;
    }
    let mut observacoes = observar(historias, &leituras, true);
    if let Some(inicial) = inicial.filter(|_| comecos.is_empty()) {
        observacoes
            .push(format!("o livro nunca teve {inicial} à venda: --estoque não se conferiu"));
    }
    if let Viu::Entrar { unidades, reposicoes } = viu {
        let unidades = contar(unidades, "unidade entrou", "unidades entraram");
        let reposicoes = contar(reposicoes, "reposição", "reposições");
        observacoes.push(format!(
            "o estoque subiu, e o livro o explica: {unidades} em {reposicoes} enquanto a multidão comprava"
        ));
    }
    violacoes.sort_by_key(|violacao| violacao.quando);
    let vendas = ha_vendas(historias, &leituras);
    Veredito { violacoes, observacoes, vendas, ouviram: Err(SemAviso::Reposto) }
}

/// As regras do estoque, se a multidão começou neste lugar da fila do livro; e o que se viu entrar.
fn conferir_desde(
    historias: &[Historia],
    leituras: &[Leitura],
    reposicoes: &Reposicoes,
    comeco: Option<i128>,
    inicial: Option<i128>,
) -> (Vec<Violacao>, Viu) {
    let desdobradas = reposicoes.desdobrar(leituras, comeco.unwrap_or(0));
    let mut violacoes = Vec::new();
    so_desce(&desdobradas.leituras, &mut violacoes);
    if let Some(comeco) = comeco {
        let de_inicio = reposicoes.inicial(comeco);
        violacoes.extend(acima_do_inicial(&desdobradas.leituras, de_inicio));
        let (partidas, ninguem) = (sem_lugar(historias), reposicoes.sem_comprador());
        violacoes.extend(sumidas(&desdobradas.leituras, partidas, de_inicio, &ninguem));
    }
    let mut violacoes: Vec<Violacao> =
        violacoes.into_iter().map(|v| reposicoes.como_se_ouviu(v, inicial)).collect();
    if let Some(comeco) = comeco {
        violacoes.extend(mais_que_havia(historias, reposicoes.vendas_desde(comeco)));
    }
    negativas(leituras, &mut violacoes);
    violacoes.extend(duas_respostas(historias));
    let fora = desdobradas.fora.filter(|leitura| leitura.valor >= 0);
    violacoes.extend(fora.map(|leitura| Violacao {
        regra: Regra::ForaDoLivro,
        quando: leitura.fim,
        provas: vec![leitura],
    }));
    (violacoes, reposicoes.viu(&desdobradas.leituras, comeco))
}

/// Quando alguém teria de conectar a cada servidor para se ver se o AVISO também chega a quem vem depois. Não a um de
/// que ninguém o ouviu, nem a um a que alguém já conectou depois, nem se não se sabe do esgotamento.
pub fn visitas(historias: &[Historia]) -> Vec<(Qual, Duration)> {
    let conexoes = || historias.iter().flat_map(|historia| &historia.conexoes);
    let esgotamento = Esgotamento::de(&reunir_leituras(historias), historias);
    let Some(esgotamento) = esgotamento.filter(|e| e.depois_de.is_some()) else {
        return Vec::new();
    };
    let ouvidos = conexoes().filter(|conexao| !conexao.avisos.is_empty());
    let ouvidos: BTreeSet<Qual> = ouvidos.map(|conexao| conexao.servidor).collect();
    let quando = |servidor| {
        let depois = esgotamento.soube(servidor)? + esgotamento.tolerancia(servidor);
        let mut dele = conexoes().filter(|conexao| conexao.servidor == servidor);
        let ninguem = dele.all(|conexao| conexao.pediu <= depois);
        // Um instante a mais: a regra 5 só fala de quem pediu a conexão depois da tolerância.
        ninguem.then_some((servidor, depois + Duration::from_millis(1)))
    };
    ouvidos.into_iter().filter_map(quando).collect()
}
