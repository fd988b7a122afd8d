//! Enganos no turno, na conexão, no enquadramento e na loja: quase todos os acha a simulação.

use crate::oficina::{Defeito, Teste, por};

const BALCAO: &str = "servidor/src/balcao.rs";
const CONEXAO: &str = "servidor/src/conexao.rs";
const FIM: &str = "servidor/src/conexao/fim.rs";
const PORTARIA: &str = "servidor/src/balcao/portaria.rs";
const ESTOQUE: &str = "servidor/src/estoque.rs";
const LUGARES: &str = "servidor/src/balcao/lugares.rs";
const LOJA: &str = "servidor/src/loja.rs";
const LINHAS: &str = "protocolo/src/linhas.rs";
const COMANDO: &str = "protocolo/src/comando.rs";
const SEGUIDAS: &str = "protocolo/src/seguidas.rs";

/// O que a simulação não sorteia, e as cenas escritas à mão conferem.
const CENAS: Teste = Teste::Alvo("servidor", "turno", "orcamento");

const fn em(
    arquivo: &'static str,
    nome: &'static str,
    certo: &'static str,
    errado: &'static str,
) -> Defeito {
    por(Teste::Simulacao, arquivo, nome, certo, errado)
}

pub const DEFEITOS: &[Defeito] = &[
    // O turno.
    em(
        BALCAO,
        "quem ainda tem o que ler não volta à fila",
        "posto.conexao.encerrar();\n            }\n            self.filas.enfileirar(chave, posto);",
        "posto.conexao.encerrar();\n            }",
    ),
    em(
        BALCAO,
        "quem saiu da fila de leitura não se sabe que saiu",
        "posto.na_leitura = false;\n            if posto",
        "if posto",
    ),
    em(
        BALCAO,
        "a fila de leitura é atendida pelo fim",
        "self.filas.leitura.pop_front()",
        "self.filas.leitura.pop_back()",
    ),
    em(BALCAO, "o teto do trabalho é ignorado", "trabalho >= TRABALHO_DO_TURNO", "false"),
    em(
        BALCAO,
        "quem sobra do turno perde o lugar na fila",
        "            if trabalho >= TRABALHO_DO_TURNO || self.lote_cheio() {\n                return;",
        "            if trabalho >= TRABALHO_DO_TURNO {\n                \
         self.filas.leitura.make_contiguous().reverse();\n                return;",
    ),
    em(
        BALCAO,
        "o lote é decidido de trás para diante",
        "lote.esvaziar().peekable()",
        "lote.esvaziar().rev().peekable()",
    ),
    em(
        BALCAO,
        "a resposta não entra na fila de escrita",
        "if pedidos.peek().is_none_or(|outro| outro.chave != chave) {",
        "if false {",
    ),
    em(
        BALCAO,
        "cada resposta sai na hora, com o lote pela metade",
        "        if let Some(fim) = Fim::depois_de(pedido) {\n",
        "        conexao.escrever(agora, self.fechar_escrita);\n        \
         if let Some(fim) = Fim::depois_de(pedido) {\n",
    ),
    em(
        BALCAO,
        "os prazos são cobrados antes de ler",
        "        self.ler(agora);\n",
        "        self.vigiar(agora);\n        self.ler(agora);\n",
    ),
    em(
        BALCAO,
        "as encerradas são removidas antes das respostas",
        "        self.responder(firmes);\n",
        "        self.remover(registro);\n        self.responder(firmes);\n",
    ),
    em(
        PORTARIA,
        "a chave muda de dono com uma fila ainda a guardá-la",
        "let guardada = posto.na_leitura ||",
        "let guardada = ",
    ),
    em(
        BALCAO,
        "marcar não põe em fila nenhuma",
        "posto.conexao.marcar(novidade);\n            self.filas.enfileirar(chave, posto);",
        "posto.conexao.marcar(novidade);",
    ),
    em(
        BALCAO,
        "o laço dorme com leituras por fazer",
        "!self.filas.leitura.is_empty() && !self.lote_cheio() ||",
        "",
    ),
    em(BALCAO, "o laço dorme com escritas por fazer", " || !self.filas.escrita.is_empty()\n", "\n"),
    em(
        BALCAO,
        "a próxima ronda não é marcada",
        "        self.proxima_ronda = agora + self.passo_da_ronda();\n",
        "",
    ),
    em(
        BALCAO,
        "o orçamento de leitura dobra",
        "vec![0; LEITURA_POR_TURNO]",
        "vec![0; 2 * LEITURA_POR_TURNO]",
    ),
    // O livro.
    em(
        BALCAO,
        "responde antes de firmar",
        "match estoque.propor(proposta)? {",
        "let resposta = Situacao::Firme(crate::estoque::Firme { antes: a_venda, quando: agora });\n        \
         match resposta {",
    ),
    em(
        BALCAO,
        "a falha do livro não para o turno",
        "match estoque.propor(proposta)? {",
        "match estoque.propor(proposta).unwrap_or(Situacao::EmVoo) {",
    ),
    em(
        BALCAO,
        "uma venda vai ao livro duas vezes",
        "                self.compradores.clear();\n",
        "",
    ),
    em(
        BALCAO,
        "a demora do disco é cobrada de quem esperou por ele",
        "self.responder(firmes);",
        "self.responder(agora.min(firmes));",
    ),
    em(
        BALCAO,
        "a demora do disco é cobrada de quem ainda não foi lido",
        "self.vigiar(agora);\n        self.remover",
        "self.vigiar(agora.max(firmes));\n        self.remover",
    ),
    em(
        ESTOQUE,
        "a última unidade não vai ao livro",
        "unwrap_or(usize::MAX).min(self.compradores.len());",
        "unwrap_or(usize::MAX).saturating_sub(1).min(self.compradores.len());",
    ),
    em(
        ESTOQUE,
        "vende-se ao livro mais do que há",
        "usize::try_from(antes).unwrap_or(usize::MAX).min(self.compradores.len())",
        "self.compradores.len().min(antes as usize + 1)",
    ),
    em(ESTOQUE, "o livro conta um a mais", "restante: antes - vez,", "restante: antes + 1 - vez,"),
    em(
        BALCAO,
        "quem só consulta também compra",
        "Comando::Comprar => compradores.extend(repeat_n(endereco, vezes)),",
        "Comando::Comprar | Comando::Consultar => compradores.extend(repeat_n(endereco, vezes)),",
    ),
    // O AVISO.
    em(BALCAO, "AVISO em dobro", "format!(\"{AVISO}\\n\")", "format!(\"{AVISO}\\n{AVISO}\\n\")"),
    em(
        BALCAO,
        "AVISO antes da resposta do comprador",
        "                self.dar(agora, registro, chave, &comando, respostas);\n                if havia > 0 && self.loja.estoque() == 0 {\n",
        "                let esgotou = havia > 0 && self.loja.estoque() == 0;\n                \
         if esgotou { self.avisar(agora, registro); }\n                \
         self.dar(agora, registro, chave, &comando, respostas);\n                \
         if esgotou { self.filas.enfileirar(chave, &mut self.postos[chave]); }\n                if false {\n",
    ),
    em(
        BALCAO,
        "AVISO também a cada recusa",
        "if havia > 0 && self.loja.estoque() == 0 {",
        "if comando.compra() && self.loja.estoque() == 0 {",
    ),
    em(
        BALCAO,
        "AVISO uma venda antes do fim",
        "if havia > 0 && self.loja.estoque() == 0 {",
        "if havia > 1 && self.loja.estoque() == 1 {",
    ),
    em(
        BALCAO,
        "AVISO outra vez a cada repetição do último pedido",
        "if havia > 0 && self.loja.estoque() == 0 {",
        "if havia < 2 && respostas.primeira() == (Resposta::Compra { restante: 0 }) {",
    ),
    // Os pedidos numerados.
    em(BALCAO, "o lote não se reconhece", "std::mem::take(&mut self.pedidos) > 0", "false"),
    em(
        BALCAO,
        "o mesmo pedido duas vezes no lote compra duas vezes",
        "self.loja.conhece(id) || novos.contains(id)",
        "self.loja.conhece(id)",
    ),
    por(
        Teste::Alvo("servidor", "partilhado", "balcoes_ao_acaso"),
        BALCAO,
        "o que já teve resposta compra outra vez",
        "self.loja.conhece(id) || novos.contains(id)",
        "novos.contains(id)",
    ),
    em(
        BALCAO,
        "não se pergunta ao livro",
        "if let Some(resposta) = estoque.resposta_a(id)? {",
        "if let Some(resposta) = None {",
    ),
    em(
        BALCAO,
        "o id fica com o comprador seguinte",
        "self.numerados.push((self.compradores.len(), id.clone()))",
        "self.numerados.push((self.compradores.len() + 1, id.clone()))",
    ),
    em(
        BALCAO,
        "os ids de um lote ficam para o outro",
        "                self.numerados.clear();\n                let mut lote",
        "                let mut lote",
    ),
    em(
        BALCAO,
        "esquece-se no meio do lote",
        "            let havia = self.loja.estoque();\n",
        "            let havia = self.loja.estoque();\n            self.loja.esquecer_os_antigos();\n",
    ),
    em(
        LOJA,
        "um pedido recusado não se lembra",
        "        self.pedidos.lembrar(id.clone(), resposta);\n        resposta",
        "        if resposta != Resposta::Esgotado {\n            self.pedidos.lembrar(id.clone(), resposta);\n        }\n        resposta",
    ),
    por(
        Teste::Unidade("protocolo", "um_pedido_leva_um_id"),
        COMANDO,
        "o id não olha maiúsculas",
        "|| Id(texto.into())",
        "|| Id(texto.to_ascii_lowercase().into())",
    ),
    em(
        BALCAO,
        "AVISO que não entra na fila de escrita",
        "extend_from_slice(linha.as_bytes()));\n                self.filas.enfileirar(chave, posto);",
        "extend_from_slice(linha.as_bytes()));",
    ),
    em(
        CONEXAO,
        "AVISO a quem já disse SAIR",
        "Estado::Despedindo(Fim::Cliente | Fim::Encerramento)",
        "Estado::Despedindo(Fim::Cliente | Fim::Encerramento | Fim::Sair)",
    ),
    em(
        CONEXAO,
        "AVISO negado a quem só fechou o seu lado",
        "Estado::Despedindo(Fim::Cliente | Fim::Encerramento)",
        "Estado::Despedindo(Fim::Encerramento)",
    ),
    em(
        CONEXAO,
        "AVISO a quem foi recusado por lotação",
        "matches!(self.estado, Estado::Aberta | Estado::Despedindo(Fim::Cliente | Fim::Encerramento))",
        "matches!(self.estado, Estado::Aberta | Estado::Despedindo(_))",
    ),
    // A porta.
    em(PORTARIA, "os recusados não têm teto", "self.lotados == LOTADOS_AO_MESMO_TEMPO", "false"),
    em(
        PORTARIA,
        "o recusado não ouve por quê",
        "            conexao.anexar(agora, |saida| recusa.escrever(saida));\n",
        "",
    ),
    em(PORTARIA, "o recusado removido não devolve o lugar", "self.lotados -= 1;", ""),
    em(
        PORTARIA,
        "cabe um a mais",
        "self.ativas() >= self.limites.conexoes",
        "self.ativas() > self.limites.conexoes",
    ),
    em(
        PORTARIA,
        "de um endereço cabe um a mais",
        "self.lugares.de(endereco.ip()) >= limite",
        "self.lugares.de(endereco.ip()) > limite",
    ),
    em(
        PORTARIA,
        "quem sai não deixa o lugar ao seu endereço",
        "                self.lugares.vagar(conexao.endereco().ip());\n",
        "",
    ),
    em(
        PORTARIA,
        "quem não entrou também ocupa o lugar do seu endereço",
        "            if self.limites.por_endereco.is_some() {\n                self.lugares.ocupar(endereco.ip());\n            }\n        }\n    }\n",
        "        }\n        if self.limites.por_endereco.is_some() {\n            self.lugares.ocupar(endereco.ip());\n        }\n    }\n",
    ),
    em(
        PORTARIA,
        "a recusa por endereço se conta como lotação",
        "self.contas.lotadas_para_o_ip += 1;",
        "self.contas.lotadas += 1;",
    ),
    em(
        LUGARES,
        "cada IPv6 de uma rede conta por si",
        "const PREFIXO: u32 = 64;",
        "const PREFIXO: u32 = 127;",
    ),
    por(
        Teste::Unidade("servidor", "quem_sai_nao_deixa_rastro"),
        LUGARES,
        "o endereço de quem já se foi fica na memória",
        "                self.de_cada_um.remove(&pessoa);\n",
        "",
    ),
    // O encerramento.
    em(
        BALCAO,
        "encerrar despede quem só foi lido uma vez",
        "                posto.conexao.encerrar();\n",
        "                posto.conexao.despedir(Fim::Encerramento);\n",
    ),
    em(
        PORTARIA,
        "encerrar não faz ler ninguém",
        "self.encerrando = true;\n        for (chave, posto) in &mut self.postos {",
        "self.encerrando = true;\n        for (chave, posto) in self.postos.iter_mut().take(0) {",
    ),
    em(
        PORTARIA,
        "encerrar confia em uma leitura curta",
        "Prontidao { ler_ate_secar: true, ..Prontidao::default() }",
        "Prontidao { legivel: true, ..Prontidao::default() }",
    ),
    em(
        CONEXAO,
        "encerrar despede quem ainda não secou",
        "if !self.prontidao.legivel {\n            self.despedir(Fim::Encerramento);",
        "if !self.fez_o_ultimo {\n            self.despedir(Fim::Encerramento);",
    ),
    em(
        PORTARIA,
        "abandonar esquece quem esperava leitura",
        "            posto.na_leitura = false;\n            posto.conexao.abandonar();",
        "            posto.conexao.abandonar();",
    ),
    // Ler.
    em(
        CONEXAO,
        "uma leitura curta esquece o fim que o evento trazia",
        "self.prontidao.legivel = self.prontidao.ler_ate_secar;",
        "self.prontidao.legivel = false;",
    ),
    em(
        CONEXAO,
        "uma leitura cheia passa por seca",
        "lidos < buffer_de_leitura.len()",
        "lidos <= buffer_de_leitura.len()",
    ),
    em(
        CONEXAO,
        "o WouldBlock da leitura não é lembrado",
        "                self.prontidao.legivel = false;\n",
        "",
    ),
    em(
        CONEXAO,
        "o WouldBlock da leitura não confirma a palavra solta",
        "return self.secou(&mut pedir);",
        "return;",
    ),
    em(
        CONEXAO,
        "o fim não confirma a palavra solta",
        "            self.secou(&mut pedir);\n            return self.despedir(Fim::Cliente);",
        "            return self.despedir(Fim::Cliente);",
    ),
    em(
        CONEXAO,
        "um reset confirma a palavra solta",
        "            Err(erro) => return self.quebrou(&erro),\n        };",
        "            Err(erro) => {\n self.secou(&mut pedir);\n return self.quebrou(&erro);\n }\n        };",
    ),
    em(
        CONEXAO,
        "uma interrupção da leitura mata",
        "ErrorKind::Interrupted => return,",
        "ErrorKind::Interrupted => return self.terminar(Fim::Reset),",
    ),
    em(
        CONEXAO,
        "quem fecha o seu lado não ouve o que pediu",
        "return self.despedir(Fim::Cliente);",
        "return self.terminar(Fim::Cliente);",
    ),
    em(
        CONEXAO,
        "lê-se de quem não recebe",
        "            && self.saida.is_empty()\n            && !self.aguarda\n",
        "            && !self.aguarda\n",
    ),
    em(
        CONEXAO,
        "o fim que um evento anunciou não é lembrado",
        "        self.prontidao.ler_ate_secar |= novidade.ler_ate_secar;\n",
        "",
    ),
    em(
        CONEXAO,
        "depois do fim anunciado, lê-se até secar para sempre",
        "                self.prontidao.ler_ate_secar = false;\n",
        "",
    ),
    em(
        CONEXAO,
        "um evento de leitura faz esquecer o de escrita",
        "self.prontidao.gravavel |= novidade.gravavel;",
        "self.prontidao.gravavel = novidade.gravavel;",
    ),
    em(
        CONEXAO,
        "o que vem depois de SAIR é atendido",
        "pedidos < PEDIDOS_POR_TURNO && !self.fez_o_ultimo",
        "pedidos < PEDIDOS_POR_TURNO",
    ),
    em(
        CONEXAO,
        "quem se despediu não é escoado até o fim",
        "Estado::Escoando(_) => true,",
        "Estado::Escoando(_) => false,",
    ),
    // Escrever.
    em(
        CONEXAO,
        "a escrita recomeça do início",
        "write(&self.saida[self.escritos..])",
        "write(&self.saida)",
    ),
    em(
        CONEXAO,
        "o que foi dito não é esquecido",
        "        self.escritos = 0;\n    }\n\n    /// Daqui em diante",
        "    }\n\n    /// Daqui em diante",
    ),
    em(
        CONEXAO,
        "o WouldBlock da escrita não é lembrado",
        "                    self.prontidao.gravavel = false;\n",
        "",
    ),
    em(
        CONEXAO,
        "uma escrita curta encerra a vez",
        "                    self.escreveu_em = agora;\n                }\n",
        "                    self.escreveu_em = agora;\n                    return;\n                }\n",
    ),
    em(
        CONEXAO,
        "uma escrita curta passa por inteira",
        "self.escritos += escritos;",
        "self.escritos = self.saida.len().max(escritos);",
    ),
    em(
        CONEXAO,
        "uma interrupção da escrita mata",
        "ErrorKind::Interrupted => {}",
        "ErrorKind::Interrupted => return self.terminar(Fim::Reset),",
    ),
    em(
        CONEXAO,
        "a última palavra não fecha a escrita",
        "                fechar_escrita(&self.fluxo);\n",
        "                let _ = fechar_escrita;\n",
    ),
    em(
        CONEXAO,
        "uma encerrada se despede",
        "        if self.estado == Estado::Aberta {\n            self.estado = Estado::Despedindo(fim);\n        }",
        "        self.estado = Estado::Despedindo(fim);",
    ),
    // Prazos.
    em(
        CONEXAO,
        "o prazo para fechar não vence",
        "passou(self.escreveu_em, PRAZO_PARA_FECHAR).then_some(fim)",
        "{ let _ = fim; None }",
    ),
    em(
        CONEXAO,
        "cada byte estica o prazo da linha",
        "terminou_alguma || self.linha_desde.is_none()",
        "terminou_alguma || self.linha_desde.is_some() || self.linha_desde.is_none()",
    ),
    em(
        CONEXAO,
        "o prazo da saída conta de antes de haver o que dizer",
        "            if self.saida.is_empty() {\n                self.escreveu_em = agora;\n            }\n",
        "            let _ = agora;\n",
    ),
    em(
        CONEXAO,
        "quem lê devagar perde o prazo da saída",
        "                    self.escreveu_em = agora;\n                }\n",
        "                }\n",
    ),
    em(CONEXAO, "ocioso é quem não ouve", "self.leu_em.max(self.escreveu_em)", "self.escreveu_em"),
    em(
        CONEXAO,
        "o atraso do laço é cobrado do cliente",
        "            _ if self.quer_ler() || self.aguarda => None,\n",
        "",
    ),
    em(
        CONEXAO,
        "a palavra solta atendida ainda deve o fim da linha",
        "        if !self.linhas.incompleta() {\n            self.linha_desde = None;\n        }\n    }",
        "    }",
    ),
    // Linhas e comandos.
    em(LINHAS, "a linha vazia tem resposta", "if !linha.is_empty()", "if linha.len() < 9999"),
    em(
        LINHAS,
        "a linha partida não devolve a memória",
        "if std::mem::take(&mut self.entregue) {\n            self.resto = Vec::new();",
        "if std::mem::take(&mut self.entregue) {\n            self.resto.clear();",
    ),
    em(
        LINHAS,
        "qualquer resto vale quando o socket seca",
        "Comando::vale_sem_fim_de_linha(aparar(&self.resto))",
        "!aparar(&self.resto).is_empty()",
    ),
    em(
        LINHAS,
        "a palavra solta com brancos em volta não vale",
        "Comando::vale_sem_fim_de_linha(aparar(&self.resto))",
        "Comando::vale_sem_fim_de_linha(&self.resto)",
    ),
    em(
        LINHAS,
        "só o último pedaço da linha é guardado",
        "            self.resto.extend_from_slice(pedaco);",
        "            self.resto = pedaco.to_vec();",
    ),
    em(
        LINHAS,
        "o CR conta no tamanho da linha",
        "usize::from(ultimo == Some(&b'\\r'))",
        "0 * usize::from(ultimo == Some(&b'\\r'))",
    ),
    em(LINHAS, "cabe um byte a menos na linha", "- cr <= LINHA_MAXIMA", "- cr < LINHA_MAXIMA"),
    em(
        LINHAS,
        "brancos contam como linha começada",
        "if self.entregue { &[] } else { aparar(&self.resto) }",
        "if self.entregue { &[] } else { &self.resto }",
    ),
    em(
        COMANDO,
        "maiúsculas e minúsculas são diferentes",
        "|nome: &[u8]| linha.eq_ignore_ascii_case(nome)",
        "|nome: &[u8]| linha == nome",
    ),
    em(
        COMANDO,
        "basta a linha começar com o comando",
        "|nome: &[u8]| linha.eq_ignore_ascii_case(nome)",
        "|nome: &[u8]| linha.to_ascii_uppercase().starts_with(nome)",
    ),
    em(
        COMANDO,
        "um pedido HTTP é só um comando desconhecido",
        "_ if e_pedido_http(linha) =>",
        "_ if linha.is_empty() =>",
    ),
    em(
        COMANDO,
        "o corpo de um pedido HTTP é atendido",
        "Comando::Sair | Comando::Http(_) | Comando::Tls | Comando::LinhaLonga => true,\n            Comando::Consultar | Comando::Comprar",
        "Comando::Sair | Comando::Tls | Comando::LinhaLonga => true,\n            Comando::Http(_) | Comando::Consultar | Comando::Comprar",
    ),
    em(
        LINHAS,
        "o TLS cortado no primeiro byte passa por texto",
        "unico == COMECO_DO_TLS[0] && pedaco",
        "unico == COMECO_DO_TLS[1] && pedaco",
    ),
    // A loja.
    em(
        LOJA,
        "vende-se o que não há",
        "        if self.estoque == 0 {\n",
        "        self.estoque = self.estoque.max(1);\n        if self.estoque == 0 {\n",
    ),
    em(LOJA, "a venda não sai do estoque", "        self.estoque -= compras.vezes() as u64;\n", ""),
    em(
        LOJA,
        "a última unidade não se vende",
        "        if self.estoque == 0 {\n",
        "        if self.estoque <= 1 {\n",
    ),
    por(
        Teste::Unidade("protocolo", "as_de_compras_seguidas"),
        SEGUIDAS,
        "depois de 100, 099",
        "if algarismo < ultimo && linhas[algarismo] == b'0' && linhas",
        "if algarismo < ultimo && linhas[algarismo] == b' ' && linhas",
    ),
    por(
        Teste::Unidade("protocolo", "as_de_compras_seguidas"),
        SEGUIDAS,
        "uma resposta a mais do que os pedidos seguidos",
        "self.vezes.saturating_sub(1)",
        "self.vezes",
    ),
    por(
        Teste::Unidade("protocolo", "as_de_compras_seguidas"),
        SEGUIDAS,
        "as cópias passam da dezena",
        "faltam.min(unidades.into())",
        "faltam.min(10)",
    ),
    por(
        Teste::Unidade("protocolo", "as_iguais_nao_mudam"),
        SEGUIDAS,
        "as cópias dobram sem olhar quantas faltam",
        "(saida.len() - inicio).min(fim - saida.len())",
        "saida.len() - inicio",
    ),
    em(LOJA, "a recusa não é contada", "            self.recusas += pedidas as u64;\n", ""),
    // O orçamento do turno.
    em(
        CONEXAO,
        "a sobra é esquecida",
        "self.sobra = self.receber(&buffer_de_leitura[..lidos], agora, &mut pedir).to_vec();",
        "let _ = self.receber(&buffer_de_leitura[..lidos], agora, &mut pedir);",
    ),
    em(CONEXAO, "a sobra é atendida duas vezes", "                sobra.drain(..recebidos);\n", ""),
    em(
        CONEXAO,
        "uma conexão não tem orçamento",
        "while !resto.is_empty() && pedidos < PEDIDOS_POR_TURNO && !self.fez_o_ultimo {",
        "while !self.fez_o_ultimo {\n            pedidos = pedidos.min(1);",
    ),
    em(
        CONEXAO,
        "as compras em fila não têm orçamento",
        "self.linhas.compras(&mut resto, PEDIDOS_POR_TURNO - pedidos)",
        "self.linhas.compras(&mut resto, PEDIDOS_POR_TURNO)",
    ),
    em(
        CONEXAO,
        "acabada a sobra, a palavra solta não vale",
        "if resto.is_empty() && self.leitura_curta {",
        "if bytes.len() == usize::MAX {",
    ),
    em(
        CONEXAO,
        "quem só tem sobra não é atendido",
        "(self.prontidao.legivel || !self.sobra.is_empty())\n            && self.saida",
        "self.prontidao.legivel\n            && self.saida",
    ),
    em(BALCAO, "ir a uma conexão não custa nada", "CUSTO_DA_LEITURA + pedidos", "pedidos"),
    // A última palavra.
    em(
        CONEXAO,
        "o ocioso é fechado sem uma palavra",
        "return self.despedir(Fim::Ocioso);",
        "return self.terminar(Fim::Ocioso);",
    ),
    em(
        CONEXAO,
        "a última palavra recomeça a cada escrita",
        "!std::mem::replace(&mut self.deu_a_ultima_palavra, true)",
        "!self.deu_a_ultima_palavra",
    ),
    em(
        FIM,
        "a última palavra não é dita",
        "Fim::Encerramento => Some(Resposta::Encerrando),",
        "Fim::Encerramento => None,",
    ),
    // A memória.
    em(
        PORTARIA,
        "uma encerrada continua na conta da memória",
        "            self.filas.guardados -= guardava as usize;\n",
        "",
    ),
    em(
        CONEXAO,
        "o que já foi dito continua na memória",
        "        saidas.devolver(std::mem::take(&mut self.saida));\n        self.escritos = 0;\n    }\n\n    /// Daqui em diante",
        "        self.saida.clear();\n        self.escritos = 0;\n    }\n\n    /// Daqui em diante",
    ),
    por(
        CENAS,
        BALCAO,
        "o teto da memória não se impõe",
        "if self.filas.guardados <= teto {\n            return;",
        "if self.filas.guardados < usize::MAX {\n            return;",
    ),
    por(
        CENAS,
        BALCAO,
        "acima do teto saem primeiro os que ouviram tudo",
        "        candidatas.sort_unstable();\n",
        "        candidatas.sort_unstable();\n        candidatas.reverse();\n",
    ),
    por(
        CENAS,
        CONEXAO,
        "quem sai por falta de memória continua a ocupá-la",
        "        self.terminar(Fim::MemoriaCheia);\n        self.saida = Vec::new();\n",
        "        self.terminar(Fim::MemoriaCheia);\n",
    ),
    // NULs, telnet e a marca de UTF-8.
    em(
        LINHAS,
        "qualquer NUL termina a linha",
        "if pedaco.last().or(self.resto.last()) == Some(&0) {",
        "if !pedaco.is_empty() {",
    ),
    por(
        Teste::Unidade("protocolo", "o_nul_em_volta"),
        LINHAS,
        "um NUL não é branco",
        "byte <= b' ' && (byte == 0 || byte.is_ascii_whitespace())",
        "byte.is_ascii_whitespace()",
    ),
    em(
        LINHAS,
        "a marca de UTF-8 é texto",
        "(Bom(2), byte) if byte == BOM[2] => (Comeco, &[]),",
        "(Bom(2), byte) if byte == BOM[2] => (Texto, &BOM[..2]),",
    ),
    em(
        LINHAS,
        "uma negociação tem sempre dois bytes",
        "(Iac, 251..=254) => (Opcao, &[]),",
        "(Iac, 251..=254) => (Comeco, &[]),",
    ),
    em(
        LINHAS,
        "uma negociação sem fim esconde o texto para sempre",
        "_ if usize::from(self.pulados) >= LINHA_MAXIMA => (Texto, &[]),",
        "_ if usize::from(self.pulados) > 9 * LINHA_MAXIMA => (Texto, &[]),",
    ),
    em(
        LINHAS,
        "um COMPRAR inteiro passa por cima da linha começada",
        "self.perdido || !self.resto.is_empty() {\n            return 0;",
        "self.perdido {\n            return 0;",
    ),
];
