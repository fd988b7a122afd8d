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
pub mod veredito;
pub mod violacao;

use std::collections::BTreeSet;
use std::time::Duration;

pub use observacoes::extravios;
pub use regra::{ESPERA_DO_AVISO, TOLERANCIA_DO_AVISO, TOLERANCIA_ENTRE_SERVIDORES};

use crate::historia::vivido::{Historia, Qual};
use aviso::{Esgotamento, aviso_com_o_que_vender, avisos, ouvintes};
use estoque::{
    acima_do_inicial, ha_vendas, mais_que_havia, negativas, subidas, sumidas, vendas_repetidas,
};
use leituras::{leituras_dos_avisos, reunir_leituras, sem_lugar};
use observacoes::observar;
use veredito::Veredito;

/// Confere as histórias de uma simulação. `estoque` é com quantas unidades o servidor abriu, se
/// ninguém mais comprou delas; sem isso, a regra 4 não se afirma.
pub fn auditar(historias: &[Historia], estoque: Option<u64>) -> Veredito {
    let leituras = reunir_leituras(historias);
    let mut violacoes = Vec::new();
    negativas(&leituras, &mut violacoes);
    vendas_repetidas(&leituras, &mut violacoes);
    subidas(&leituras, &mut violacoes);
    let mut com_os_avisos = leituras.clone();
    com_os_avisos.extend(leituras_dos_avisos(historias));
    if let Some(inicial) = estoque.map(i128::from) {
        violacoes.extend(acima_do_inicial(&leituras, inicial));
        let partidas = sem_lugar(historias);
        let sumida = sumidas(&leituras, partidas.clone(), inicial);
        if sumida.is_none() {
            let pelo_aviso = sumidas(&com_os_avisos, partidas, inicial);
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
